import { once } from "node:events";
import { createServer, request, type IncomingMessage, type ServerResponse } from "node:http";
import { connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { connect, type AddressInfo, type Server, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { MARGIN, StreamBody, type Stall } from "../../src/core/stream-body.ts";

type Answer = (res: ServerResponse, req: IncomingMessage) => void | Promise<void>;

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

const serve = (answer: Answer) => listen(createServer((req, res) => void answer(res, req)));

/** Sends the head and the first piece, as its users do, and answers the body from there on. */
function begin(res: ServerResponse, stall?: Stall): StreamBody {
  res.writeHead(200, { "content-type": "text/plain" });
  res.write("first\n");
  return new StreamBody(res, stall);
}

async function get(port: number): Promise<string> {
  const req = request({ port, agent: false }).end();
  const [res] = (await once(req, "response")) as [IncomingMessage];
  let body = "";
  for await (const part of res.setEncoding("utf8")) body += String(part);
  expect(res.complete).toBe(true);
  return body;
}

function dial(port: number, text: string): Socket {
  const socket = connect(port, "127.0.0.1")
    .setEncoding("latin1")
    .on("error", () => {});
  onTestFinished(() => void socket.destroy());
  socket.write(text);
  return socket;
}

async function readAll(socket: Socket): Promise<string> {
  let all = "";
  for await (const part of socket) all += String(part);
  return all;
}

const turn = () => new Promise(setImmediate);

function send(body: StreamBody, text: string): true | Promise<boolean> {
  const bytes = Buffer.alloc(2 * MARGIN + Buffer.byteLength(text), "!");
  bytes.write(text, MARGIN);
  return body.sendBytes(bytes, MARGIN, bytes.length - MARGIN);
}

describe("a streamed body", () => {
  test.each([
    ["ASCII", "plain\n"],
    ["text beyond ASCII", "Größe 😀\u2028\n"],
    ["nothing", ""],
    ["more than a piece", "x".repeat(70_000)],
    ["more than a piece beyond ASCII", "é😀".repeat(60_000)],
  ])("arrives as it was sent: %s", async (_, text) => {
    const port = await serve(async (res) => {
      const body = begin(res);
      // At once, while the response still holds its first piece, and later, straight to the connection.
      for (const one of [text, text, "between\n"]) expect(await body.send(one)).toBe(true);
      await turn();
      for (const one of [text, "\n"]) expect(await body.send(one)).toBe(true);
      for (const one of [text, "as bytes\n", text]) expect(await send(body, one)).toBe(true);
      res.end("last\n");
    });
    expect(await get(port)).toBe(`first\n${text}${text}between\n${text}\n${text}as bytes\n${text}last\n`);
  });

  test("is one chunk of HTTP/1.1 for each piece", async () => {
    const port = await serve(async (res) => {
      const body = begin(res);
      await turn();
      await body.send("0123456789abcdef");
      await send(body, "abc");
      res.end();
    });
    const answer = await readAll(dial(port, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
    expect(answer.slice(answer.indexOf("\r\n\r\n"))).toBe(
      "\r\n\r\n6\r\nfirst\n\r\n10\r\n0123456789abcdef\r\n3\r\nabc\r\n0\r\n\r\n",
    );
  });

  test("has no chunks for a client of HTTP/1.0", async () => {
    const port = await serve(async (res) => {
      const body = begin(res);
      await turn();
      await body.send("text\n");
      await send(body, "bytes\n");
      res.end("last\n");
    });
    const answer = await readAll(dial(port, "GET / HTTP/1.0\r\n\r\n"));
    expect(answer.slice(answer.indexOf("\r\n\r\n"))).toBe("\r\n\r\nfirst\ntext\nbytes\nlast\n");
  });

  test("waits for the answer before it on the same connection", async () => {
    const firstDone = Promise.withResolvers<void>();
    const port = await serve(async (res, req) => {
      const body = begin(res);
      await turn();
      if (req.url === "/1") await firstDone.promise;
      await body.send(`one of ${req.url}\n`);
      await turn();
      await body.send(`two of ${req.url}\n`);
      res.end();
      if (req.url === "/2") setTimeout(() => firstDone.resolve(), 20);
    });
    const head = "HTTP/1.1\r\nhost: x\r\n";
    const socket = dial(port, `GET /1 ${head}\r\nGET /2 ${head}connection: close\r\n\r\n`);
    expect((await readAll(socket)).match(/(first|one of \S+|two of \S+)/g)).toEqual(
      ["first", "one of /1", "two of /1", "first", "one of /2", "two of /2"], //
    );
  });

  test("leaves as frames of HTTP/2", async () => {
    const port = await listen(
      createHttp2Server((_req, res) => {
        const body = begin(res as unknown as ServerResponse);
        void body.send("text\n");
        void send(body, "bytes\n");
        res.end();
      }),
    );
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    onTestFinished(() => session.destroy());
    let answer = "";
    for await (const part of session.request({}).setEncoding("utf8")) answer += String(part);
    expect(answer).toBe("first\ntext\nbytes\n");
  });
});

describe("a client that takes nothing", () => {
  /** Sends until the client has to be waited for; answers how that ended. */
  async function fill(body: StreamBody): Promise<boolean> {
    for (;;) {
      const taken = body.send("x".repeat(10_000));
      if (taken !== true) return taken;
    }
  }

  test("is waited for until it reads again", async () => {
    const ended = Promise.withResolvers<boolean>();
    const port = await serve(async (res) => {
      const body = begin(res);
      await turn();
      const filled = fill(body);
      body.probe("never: a piece may be under way");
      socket.resume();
      ended.resolve(await filled);
      res.end();
    });
    const socket = dial(port, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").pause();
    let all = "";
    socket.on("data", (part: string) => (all += part)).pause();
    expect(await ended.promise).toBe(true);
    while (!all.endsWith("0\r\n\r\n")) await once(socket, "data");
    expect(all).not.toContain("never");
  });

  test("is dropped after a while", async () => {
    const ended = Promise.withResolvers<boolean>();
    const port = await serve(async (res) => {
      const body = begin(res, { ms: 30, drop: () => res.destroy() });
      await turn();
      ended.resolve(await fill(body));
    });
    const socket = dial(port, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").pause();
    expect(await ended.promise).toBe(false);
    socket.resume();
    await once(socket, "close");
  });

  test("is not waited for once it has left", async () => {
    const ended = Promise.withResolvers<boolean[]>();
    const port = await serve(async (res) => {
      const body = begin(res);
      await turn();
      const filled = fill(body);
      socket.destroy();
      const first = await filled;
      ended.resolve([first, await fill(body)]);
    });
    const socket = dial(port, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").pause();
    expect(await ended.promise).toEqual([false, false]);
  });
});

test("a probe of a streamed body is a piece of its own", async () => {
  const port = await serve(async (res) => {
    const body = begin(res);
    await turn();
    body.probe(": there\n");
    await body.send("text\n");
    res.end();
  });
  expect(await get(port)).toBe("first\n: there\ntext\n");
});
