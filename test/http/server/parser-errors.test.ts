import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { dial, readAll, readUntil, serve } from "../serving.ts";

/** Status line, headers and body of the last answer on a connection. */
function lastAnswer(text: string) {
  const [head = "", body = ""] = text
    .slice(text.search(/HTTP\/1\.1 \d{3} (?!.*HTTP\/1\.1 \d{3} )/s))
    .split("\r\n\r\n");
  return { status: Number(head.slice(9, 12)), head, body: JSON.parse(body) as Record<string, string> };
}

test.each([
  ["garbage", "garbage\r\n\r\n", 400, "malformed request", "INVALID_ARGUMENT"],
  [
    "a header without a colon",
    "GET / HTTP/1.1\r\nhost: x\r\nnonsense\r\n\r\n",
    400,
    "malformed request",
    "INVALID_ARGUMENT",
  ],
  [
    "two lengths",
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
    400,
    "malformed request",
    "INVALID_ARGUMENT",
  ],
  [
    "a length and chunks",
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    400,
    "malformed request",
    "INVALID_ARGUMENT",
  ],
  [
    "a chunk without a size",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    400,
    "malformed request",
    "INVALID_ARGUMENT",
  ],
  [
    "a URL of 65 KiB",
    `GET /${"u".repeat(65 * 1024)} HTTP/1.1\r\nhost: x\r\n\r\n`,
    431,
    "request headers too large",
    "REQUEST_TOO_LARGE",
  ],
  [
    "headers of 65 KiB",
    `GET / HTTP/1.1\r\nhost: x\r\na: ${"u".repeat(65 * 1024)}\r\n\r\n`,
    431,
    "request headers too large",
    "REQUEST_TOO_LARGE",
  ],
  [
    "chunk extensions without end",
    `POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1;${"e".repeat(20_000)}\r\nx\r\n`,
    413,
    "request body too large",
    "REQUEST_TOO_LARGE",
  ],
])("%s is answered as every error is", async (_name, bytes, status, error, reason) => {
  const { port } = await serve(() => {});
  const socket = await dial(port);
  const all = readAll(socket);
  socket.write(bytes);
  socket.write("x".repeat(100_000)); // what still comes takes no answer away
  const answer = lastAnswer(await all);
  expect(answer.status).toBe(status);
  expect(answer.body).toMatchObject({ error, reason, message: expect.any(String) as string });
  expect(answer.head).toContain("content-type: application/json");
  expect(answer.head).toContain("connection: close");
});

test("a request that comes too slowly is 408 with a body", async () => {
  const { port } = await serve(() => {}, { limits: { headersMs: 50 } });
  const socket = await dial(port);
  const all = readAll(socket);
  socket.write("GET / HTTP/1.1\r\n");
  expect(lastAnswer(await all)).toMatchObject({ status: 408, body: { reason: "REQUEST_TIMEOUT" } });
});

test("the answer to a good request comes before that to the garbage behind it", async () => {
  const held = Promise.withResolvers<ServerResponse>();
  const { port } = await serve((_req, res) => held.resolve(res));
  const socket = await dial(port);
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\ngarbage\r\n\r\nmore");
  const res = await held.promise;
  res.end("good");
  const text = await readUntil(socket, "malformed request");
  expect(text.indexOf("good")).toBeGreaterThan(0);
  expect(text.indexOf("good")).toBeLessThan(text.indexOf("HTTP/1.1 400"));
});

test("a request that has its answer gets no second one when its body goes wrong", async () => {
  const { port } = await serve((_req, res) => void res.writeHead(401, { "content-length": 2 }).end("no"));
  const socket = await dial(port);
  const all = readAll(socket);
  socket.write("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
  await readUntil(socket, "no");
  socket.write("not a chunk\r\n");
  expect((await all).match(/HTTP\/1\.1 \d{3}/g)).toEqual(["HTTP/1.1 401"]);
});
