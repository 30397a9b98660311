import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import type { Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { HttpHandler } from "../../../src/http/server/listener.ts";
import { dial, readAll, readUntil, serve } from "../serving.ts";

/** Answers before it has read anything. */
const early: HttpHandler = (_req, res) => void res.writeHead(413, { "content-length": 9 }).end("too much\n");

function openSession(port: number) {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  return session;
}

test("a hundred bodies whose answers have left keep nobody else on their HTTP/2 session waiting", async () => {
  const { port } = await serve((req, res) => (req.method === "GET" ? void res.end("here") : early(req, res)));
  const session = openSession(port);
  await once(session, "remoteSettings");
  const bodies = Array.from({ length: 100 }, () => {
    const stream = session.request({ ":method": "POST", ":path": "/" }, { endStream: false });
    stream.on("error", () => {}).resume();
    stream.write(Buffer.alloc(32 * 1024));
    return stream;
  });
  await Promise.all(bodies.map((stream) => once(stream, "response")));
  const began = performance.now();
  const other = session.request({ ":path": "/other" }).setEncoding("utf8");
  let text = "";
  for await (const part of other) text += String(part);
  expect(text).toBe("here");
  expect(performance.now() - began).toBeLessThan(10_000);
  await Promise.all(bodies.map(async (stream) => stream.closed || (await once(stream, "close"))));
  expect(bodies.map(({ rstCode }) => rstCode)).toEqual(bodies.map(() => constants.NGHTTP2_NO_ERROR));
});

test("the reset comes after the whole answer, however slowly the client takes it", async () => {
  const answer = "x".repeat(300_000);
  const { port } = await serve((_req, res) => void res.end(answer), { limits: { earlyResetMs: 20 } });
  const session = openSession(port);
  const stream = session.request({ ":method": "POST", ":path": "/" }, { endStream: false });
  stream.write("part of a body");
  await once(stream, "response");
  await new Promise((resolve) => setTimeout(resolve, 200));
  let size = 0;
  for await (const part of stream) size += (part as Buffer).length;
  expect(size).toBe(answer.length);
});

test("a body that ends soon after its answer leaves the HTTP/1 connection as good as before", async () => {
  const { port } = await serve((req, res) => (req.method === "GET" ? void res.end("here") : early(req, res)));
  const socket = await dial(port);
  socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n");
  await readUntil(socket, "too much");
  socket.write(Buffer.alloc(100_000));
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  expect(await readUntil(socket, "here")).toContain("200 OK");
});

test("a body whose reader stopped in the middle and still holds it leaves the HTTP/1 connection as good as before", async () => {
  const { port } = await serve((req, res) => {
    if (req.method === "GET") return void res.end("here");
    const body = req[Symbol.asyncIterator]();
    void body.next().then(() => early(req, res));
  });
  const socket = await dial(port);
  const body = Buffer.alloc(1_000_000);
  for (let i = 0; i < 20; i++) {
    socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`);
    socket.write(body.subarray(100_000));
    await readUntil(socket, "too much");
    socket.write(body.subarray(0, 100_000));
  }
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  expect(await readUntil(socket, "here")).toContain("200 OK");
});

test("a connection remembers nothing of the early answers that it has had", async () => {
  const sockets = new Set<Socket>();
  const { port } = await serve((req, res) => {
    sockets.add(req.socket);
    early(req, res);
  });
  const socket = await dial(port);
  socket.setNoDelay();
  const listeners: number[] = [];
  for (let i = 0; i < 20; i++) {
    socket.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n");
    await readUntil(socket, "too much");
    socket.write(Buffer.alloc(1_000));
    const [server] = sockets;
    if (server !== undefined) listeners.push(server.listenerCount("close"));
  }
  expect(sockets.size).toBe(1);
  expect(Math.max(...listeners) - Math.min(...listeners)).toBeLessThan(3);
});

test.each([
  ["does not end in time", { lingerMs: 50 }, "transfer-encoding: chunked"],
  ["is longer than is thrown away", { lingerBytes: 100_000 }, "transfer-encoding: chunked"],
  ["never comes", { lingerMs: 50 }, "content-length: 5000000"],
])(
  "a body that %s after its answer ends the HTTP/1 connection, with the answer delivered",
  async (_name, limits, length) => {
    const { port } = await serve(early, { limits });
    const socket = await dial(port);
    const all = readAll(socket);
    socket.write(`POST / HTTP/1.1\r\nhost: x\r\n${length}\r\n\r\n`);
    const more = setInterval(
      () =>
        socket.writable && length.startsWith("transfer") && socket.write(`8000\r\n${"x".repeat(0x8000)}\r\n`),
      5,
    );
    onTestFinished(() => clearInterval(more));
    expect(await all).toContain("413 Payload Too Large");
  },
);
