import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import type { HttpHandler } from "../../../src/http/server/listener.ts";
import { until } from "../../helpers/until.ts";
import { ask, dial, readAll, readUntil, serve } from "../serving.ts";

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;

/** A handler that holds responses, and knows how many it had at most. */
function holding() {
  const held: ServerResponse[] = [];
  const seen: string[] = [];
  let most = 0;
  const handler: HttpHandler = (req, res) => {
    seen.push(req.url ?? "");
    held.push(res);
    most = Math.max(most, held.length);
  };
  const answerAll = () => held.splice(0).forEach((res) => res.end("."));
  return { handler, held, seen, answerAll, most: () => most };
}

test("a thousand pipelined requests are answered in order, and few are in flight at any time", async () => {
  const { handler, held, seen, answerAll, most } = holding();
  const { port } = await serve(handler);
  const socket = await dial(port);
  socket.resume();
  socket.write(Array.from({ length: 1_000 }, (_, i) => get(`/${i}`)).join(""));
  await until("some are in flight", () => held.length === 8);
  while (seen.length < 1_000) {
    answerAll();
    await new Promise(setImmediate);
  }
  answerAll();
  expect(seen).toEqual(Array.from({ length: 1_000 }, (_, i) => `/${i}`));
  expect(most()).toBeLessThan(20);
});

test("a connection with requests in flight is read no further, and holds up no other one", async () => {
  const { handler, held } = holding();
  const { port } = await serve((req, res) => (req.url === "/other" ? res.end("here") : handler(req, res)));
  const socket = await dial(port);
  const block = get("/held").repeat(1_000);
  let taken = 0;
  const write = () => {
    while (taken < 1_000 && socket.write(block)) taken++;
  };
  socket.on("drain", write);
  write();
  await until("some are in flight", () => held.length === 8);
  for (let i = 0; i < 20; i++) expect((await ask(port, "/other")).body).toBe("here");
  expect(held).toHaveLength(8);
  expect(taken).toBeLessThan(1_000);
});

test("bodies between pipelined requests arrive whole, whatever is in them", async () => {
  const bodies: string[] = [];
  const { port } = await serve((req, res) => {
    let body = "";
    req.on("data", (part: Buffer) => (body += part.toString()));
    req.on("end", () => res.end(`${bodies.push(body)};`));
  });
  const socket = await dial(port);
  const sent = Array.from({ length: 30 }, (_, i) => `${i}\r\n\r\nGET /x HTTP/1.1\r\n\r\n`.repeat(i * 40));
  const post = (body: string) =>
    `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  socket.write(sent.map(post).join(""));
  await readUntil(socket, "30;");
  expect(bodies).toEqual(sent);
});

test("a body that nobody reads yet is not read from the connection either", async () => {
  const waiting = Promise.withResolvers<() => void>();
  const { port } = await serve((req, res) => {
    if (req.method === "GET") return void res.end();
    waiting.resolve(() => {
      let size = 0;
      req.on("data", (part: Buffer) => (size += part.length));
      req.on("end", () => res.end(`${size} bytes`));
    });
  });
  const socket = await dial(port);
  const size = 8 * 1024 * 1024;
  socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ${size}\r\n\r\n`);
  socket.write(Buffer.alloc(size, "x".repeat(1_000) + "\r\n\r\n"));
  const read = await waiting.promise;
  for (let i = 0; i < 20; i++) await ask(port, "/");
  expect(socket.writableLength).toBeGreaterThan(0);
  read();
  await readUntil(socket, `${size} bytes`);
});

test("what all connections have sent ahead is bounded: who sends more is closed", async () => {
  const { handler, held } = holding();
  const { port } = await serve(handler, { limits: { backlogBytes: 10_000 } });
  const socket = await dial(port);
  socket.write(get("/held").repeat(1_000));
  await readAll(socket);
  expect(held).toHaveLength(1);
});

test("a connection that piles up refusals has to wait for each further one, and for nothing once it is let in", async () => {
  let answered = 0;
  const { port } = await serve(
    (req, res) => {
      answered++;
      res.writeHead(req.url === "/good" ? 200 : 401).end();
    },
    { limits: { refusals: 5, refusalMs: 60_000 } },
  );
  const socket = await dial(port);
  socket.resume();
  socket.write(get("/bad").repeat(5) + get("/good") + get("/bad").repeat(100));
  // Those in flight when it was seen are answered.
  await until("it has to wait", () => answered >= 12);
  await ask(port, "/good");
  expect(answered).toBeLessThan(5 + 1 + 6 + 8 + 2);
});

test("connections that get many refusals together wait after each, and one with a good credential for nothing", async () => {
  let refused = 0;
  const { port } = await serve(
    (req, res) => {
      if (req.url !== "/good") refused++;
      res.writeHead(req.url === "/good" ? 200 : 401).end();
    },
    { limits: { refusals: 32, refusalMs: 60_000, refusalsPerSecond: 20 } },
  );
  const sockets = await Promise.all(Array.from({ length: 10 }, () => dial(port)));
  for (const socket of sockets) socket.resume().write(get("/bad").repeat(30));
  await until("all have to wait", () => refused >= 20);
  for (let i = 0; i < 10; i++) await ask(port, "/good");
  // Twenty of all, and those in flight when that was seen.
  expect(refused).toBeLessThanOrEqual(20 + 10 * 8);
});
