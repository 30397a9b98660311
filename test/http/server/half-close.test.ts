import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { createConnectTransport } from "@connectrpc/connect-node";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { until } from "../../helpers/until.ts";
import { type EdgeServer, rpcStream, startEdgeServer } from "../edge-server.ts";
import { dial, readAll, readUntil, serve } from "../serving.ts";

let server: EdgeServer;

beforeAll(async () => {
  server = await startEdgeServer();
});

function post(path: string, type: string, body: Buffer | string, version = "1.1"): Buffer {
  const head = `POST ${path} HTTP/${version}\r\nhost: localhost\r\ncontent-type: ${type}\r\n`;
  return Buffer.concat([
    Buffer.from(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n`),
    Buffer.from(body),
  ]);
}

function envelope(text: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text)]);
}

const message = '{"agentId":"a1","message":{"content":"hello"}}';
const chat = '{"model":"a1","stream":true,"messages":[{"role":"user","content":"hello"}]}';

/** Streams that know a keepalive. */
const streams: readonly [string, Buffer][] = [
  ["server-sent events", post("/agents/a1/stream", "application/json", '{"content":"hello"}')],
  ["a chat completion", post("/v1/chat/completions", "application/json", chat)],
  ["a Connect stream", post("/valinor.v1.AgentProxy/Stream", "application/connect+json", envelope(message))],
  [
    "a gRPC-Web stream",
    post("/valinor.v1.AgentProxy/Stream", "application/grpc-web+json", envelope(message)),
  ],
  [
    "a gRPC-Web stream as text",
    post(
      "/valinor.v1.AgentProxy/Stream",
      "application/grpc-web-text+json",
      envelope(message).toString("base64"),
    ),
  ],
];

/** Closes a connection as an exiting program does: nothing of it is left to read or write. */
function leave(socket: Socket): void {
  socket.removeAllListeners("data");
  socket.destroy();
}

describe("a client that half-closes its connection after the request", () => {
  it.each([
    ["GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", "ok\n"],
    ["GET /healthz HTTP/1.0\r\n\r\n", "ok\n"],
    [post("/valinor.v1.AgentRegistry/ListAgents", "application/json", "{}"), "{}"],
    [post("/grpc.health.v1.Health/Check", "application/json", "{}"), "SERVING"],
  ])("gets its answer (%#)", async (request, wanted) => {
    const socket = await dial(server.port);
    socket.end(request);
    const answer = await readAll(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 200/);
    expect(answer).toContain(wanted);
  });

  it("gets the answers to all that it pipelined", async () => {
    const socket = await dial(server.port);
    socket.end("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(3));
    expect((await readAll(socket)).match(/HTTP\/1\.1 200/g)).toHaveLength(3);
  });

  it("gets the answers to more than is in flight at any time", async () => {
    const { port } = await serve((_req, res) => void setImmediate(() => res.end("here")));
    const socket = await dial(port);
    socket.end("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(100));
    expect((await readAll(socket)).match(/HTTP\/1\.1 200/g)).toHaveLength(100);
  });

  it("has its whole body read, whatever stands in it and however slowly it is taken", async () => {
    const body = "{\n\r\n}".repeat(20_000);
    const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
      let size = 0;
      for await (const part of req) {
        size += (part as Buffer).length;
        await new Promise(setImmediate);
      }
      res.end(`${size} bytes`);
    };
    const { port } = await serve((req, res) => void answer(req, res));
    const socket = await dial(port);
    socket.end(post("/", "text/plain", body));
    expect(await readAll(socket)).toContain(`${body.length} bytes`);
  });

  it("and asks nothing has its connection closed at once, at the beginning as between two requests", async () => {
    const fresh = await dial(server.port);
    fresh.end();
    expect(await readAll(fresh)).toBe("");
    const used = await dial(server.port);
    used.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await readUntil(used, "ok\n");
    used.end();
    expect(await readAll(used)).toBe("");
  });

  it("gets an answer that takes its time, interim answers before it", async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<() => void>();
    const { port } = await serve((_req, res) => ask(() => res.writeHead(200).end("late")));
    const socket = await dial(port);
    socket.end("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    const answer = await asked;
    const whole = readAll(socket);
    await readUntil(socket, "HTTP/1.1 102 Processing\r\n\r\n");
    answer();
    expect(await whole).toMatch(/^(HTTP\/1\.1 102 Processing\r\n\r\n)+HTTP\/1\.1 200 OK\r\n[^]*late/);
  });

  it.each(streams)("gets %s to its end", async (_name, request) => {
    const run = server.nextRun();
    const socket = await dial(server.port);
    socket.end(request);
    run.push({ kind: "text", sequence: 1, text: "one" });
    const whole = readAll(socket);
    await until("it reads on", () => run.nexts() > 1);
    run.push({ kind: "text", sequence: 2, text: "two" });
    run.push({ kind: "done", sequence: 3, finishReason: "stop" });
    run.end();
    const answer = await whole;
    const [, body = ""] = answer.split("\r\n\r\n");
    const text = answer.includes("grpc-web-text") ? decodeChunks(body) : answer;
    expect(text).toContain("one");
    expect(text).toContain("two");
    expect(text).toMatch(/stop/);
  });

  it("that sends only half a request gets no answer", async () => {
    const socket = await dial(server.port);
    socket.end(post("/agents/a1/message", "application/json", '{"content":"hello"}').subarray(0, -5));
    expect(await readAll(socket)).not.toContain("200");
  });
});

/** The base64 segments of a chunked body, decoded. */
function decodeChunks(body: string): string {
  return body
    .split("\r\n")
    .filter((_line, index) => index % 2 === 1)
    .flatMap((line) => line.match(/[^=]+={0,2}/g) ?? [])
    .map((segment) => Buffer.from(segment, "base64").toString())
    .join("");
}

describe("a client that leaves", () => {
  it.each(streams)("in the middle of %s, which is silent, is found out", async (_name, request) => {
    const run = server.nextRun();
    const socket = await dial(server.port);
    socket.write(request);
    run.push({ kind: "text", sequence: 1, text: "one" });
    await until("it reads on", () => run.nexts() > 1);
    leave(socket);
    await run.closed;
    expect(run.closes()).toBeGreaterThan(0);
  });

  it("with more requests sent than are in flight is found out", async () => {
    const closed = Promise.withResolvers<void>();
    let begun = 0;
    const { port } = await serve((_req, res) => {
      res.once("close", closed.resolve);
      begun++;
    });
    const socket = await dial(port);
    socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(20));
    await until("some are in flight", () => begun === 8);
    leave(socket);
    await closed.promise;
    expect(begun).toBe(8);
  });

  it("before its answer has begun is found out", async () => {
    const closed = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const { port } = await serve((_req, res) => {
      res.once("close", closed.resolve);
      asked.resolve();
    });
    const socket = await dial(port);
    socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await asked.promise;
    leave(socket);
    await expect(closed.promise).resolves.toBeUndefined();
  });

  it("a stream that has no keepalive leaves by half-closing already", async () => {
    const socket = connect(server.port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    const watch = post("/grpc.health.v1.Health/Watch", "application/connect+json", envelope("{}"));
    socket.write(watch);
    await readUntil(socket, "SERVING");
    socket.end();
    await once(socket, "close");
    expect(socket.destroyed).toBe(true);
  });

  it("of Connect's own kind is found out", async () => {
    const run = server.nextRun();
    const transport = createConnectTransport({
      baseUrl: `http://127.0.0.1:${server.port}`,
      httpVersion: "1.1",
    });
    const pieces = rpcStream({ ...server, nextRun: () => run }, transport);
    expect(await pieces.next()).toBe("opened");
    pieces.close();
    await run.closed;
  });
});
