/** The floor for gRPC: unary calls answered in the `stream` event of bare node:http2, their messages coded by protobuf-es. */
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { SendMessageRequestSchema, SendMessageResponseSchema } from "../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { argument, serveControl } from "./control.ts";
import { openFloorLinks } from "./floor-link.ts";
import type { ServerArgument } from "./server-argument.ts";

/** A flag byte and 4 bytes of length stand before each message. */
const PREFIX = 5;

const { guestPorts } = argument() as ServerArgument;
const linkOf = await openFloorLinks(guestPorts);

function answerMessage(stream: ServerHttp2Stream, body: Buffer): void {
  const { agentId, message } = fromBinary(SendMessageRequestSchema, body.subarray(PREFIX));
  let content = "";
  linkOf(agentId).open(message?.content ?? "", {
    chunk(payload) {
      content += String(payload["content"]);
      if (payload["done"] === true) answer(stream, content);
    },
    flush() {},
  });
}

function answer(stream: ServerHttp2Stream, content: string): void {
  if (stream.destroyed) return;
  const message = toBinary(SendMessageResponseSchema, create(SendMessageResponseSchema, { content }));
  const body = Buffer.alloc(PREFIX + message.length);
  body.writeUInt32BE(message.length, 1);
  body.set(message, PREFIX);
  stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(body);
}

/** Clients leave at the end of each round, in the middle of their calls. */
function onLeft(error: NodeJS.ErrnoException): void {
  if (error.code !== "ECONNRESET" && error.code !== "EPIPE") throw error;
}

const server = createServer();
server.on("sessionError", onLeft);
server.on("stream", (stream: ServerHttp2Stream) => {
  const parts: Buffer[] = [];
  stream.on("error", onLeft);
  stream.on("data", (part: Buffer) => parts.push(part));
  stream.on("end", () => {
    const [only] = parts;
    answerMessage(stream, parts.length === 1 && only !== undefined ? only : Buffer.concat(parts));
  });
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address() as AddressInfo;
serveControl([port, port], () => 0);
