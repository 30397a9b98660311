import type { IncomingMessage, ServerResponse } from "node:http";
import { Code } from "@connectrpc/connect";
import { encodeGrpcMessage } from "./grpc-message.ts";

/** What a request is told that reaches no implementation. */
export interface Refusal {
  readonly status: 404 | 405 | 415 | 505;
  readonly code: Code.InvalidArgument | Code.Unimplemented;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const names = { [Code.InvalidArgument]: "invalid_argument", [Code.Unimplemented]: "unimplemented" } as const;

/**
 * Refuses an RPC request in the shape that its client reads: gRPC in trailers and gRPC-Web in its trailer frame, both with status 200 as
 * their specifications want it for calls that don't exist; everything else as a Connect error, JSON with an HTTP status. A content type
 * that we do not support keeps its 415 whatever it begins with, and has gRPC's status in the headers for the clients that look there.
 */
export function refuseRpc(req: IncomingMessage, res: ServerResponse, refusal: Refusal): void {
  const type = req.headers["content-type"] ?? "";
  for (const [name, value] of Object.entries(refusal.headers ?? {})) res.setHeader(name, value);
  // The rest of the body is thrown away: the client may end it, and read its answer.
  req.resume();
  const grpc = { "grpc-status": String(refusal.code), "grpc-message": encodeGrpcMessage(refusal.message) };
  if (refusal.status === 404 && /^application\/grpc-web/i.test(type)) {
    const text = /^application\/grpc-web-text/i.test(type);
    const frame = trailerFrame(grpc);
    res.writeHead(200, { "content-type": type }).end(text ? frame.toString("base64") : frame);
  } else if (refusal.status === 404 && /^application\/grpc/i.test(type)) {
    res.writeHead(200, { "content-type": type });
    res.addTrailers(grpc);
    res.end();
  } else {
    const body = `${JSON.stringify({ code: names[refusal.code], message: refusal.message })}\n`;
    res.writeHead(refusal.status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...(/^application\/grpc/i.test(type) && grpc),
    });
    res.end(req.method === "HEAD" ? undefined : body);
  }
}

/** Trailers as the last frame of a gRPC-Web body: flag 0x80, length, header lines. */
function trailerFrame(trailers: Readonly<Record<string, string>>): Buffer {
  const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = Buffer.from(lines.join(""));
  const head = Buffer.alloc(5);
  head[0] = 0x80;
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, text]);
}
