import { once } from "node:events";
import { Agent, request as httpRequest, type ServerResponse } from "node:http";
import { connect as connectHttp2, constants } from "node:http2";
import { describe, expect, onTestFinished, test } from "vitest";
import type { HttpHandler } from "../../../src/http/server/listener.ts";
import { request as http2Request } from "../http2-client.ts";
import { ask, dial, readAll, readUntil, serve } from "../serving.ts";

const echo: HttpHandler = (req, res) => {
  let body = "";
  req.on("data", (part: Buffer) => (body += part.toString()));
  req.on("end", () => res.writeHead(200).end(`${req.httpVersion} ${req.method} ${req.url} ${body}`));
};

/** A handler that holds every response until the test ends it. */
function holding() {
  const held: ServerResponse[] = [];
  const waiting: ((res: ServerResponse) => void)[] = [];
  const handler: HttpHandler = (_req, res) => {
    held.push(res);
    waiting.shift()?.(res);
  };
  const next = () => new Promise<ServerResponse>((resolve) => void waiting.push(resolve));
  return { handler, held, next };
}

/** Opens an HTTP/2 session until the test has finished. */
function openSession(port: number) {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  return session;
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** An empty SETTINGS frame. */
const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

describe("a listener's one port", () => {
  test("speaks HTTP/1.1 and HTTP/2 with prior knowledge", async () => {
    const { port } = await serve(echo);
    expect((await ask(port, "/x", { body: "b" })).body).toBe("1.1 POST /x b");
    expect((await http2Request(port, { ":path": "/x", ":method": "POST" }, "b")).body).toBe("2.0 POST /x b");
  });

  test("serves many requests on one HTTP/1.1 connection, pipelined ones too", async () => {
    const { port } = await serve(echo);
    const socket = await dial(port);
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`;
    socket.write(get("/1") + get("/2"));
    const first = await readUntil(socket, "GET /2");
    expect(first).toContain("GET /1");
    socket.write(get("/3"));
    await readUntil(socket, "GET /3");
  });

  test("reads a body of several megabytes that begins with the request", async () => {
    const { port } = await serve(echo);
    const body = "x".repeat(3_000_000);
    expect((await ask(port, "/", { body })).body).toHaveLength(body.length + "1.1 POST / ".length);
  });

  test.each([1, 5, 23])("takes HTTP/2's preface in pieces of %i bytes", async (size) => {
    const { port } = await serve(echo);
    const socket = await dial(port);
    socket.setNoDelay(true);
    const bytes = Buffer.concat([Buffer.from(preface), settings]);
    for (let at = 0; at < bytes.length; at += size) {
      socket.write(bytes.subarray(at, at + size));
      await new Promise(setImmediate);
    }
    const [answer] = (await once(socket, "data")) as [Buffer];
    // The server's own SETTINGS come first.
    expect(answer[3]).toBe(4);
  });

  test("takes an HTTP/1.1 request that begins like the preface, in single bytes", async () => {
    const { port } = await serve(echo);
    const socket = await dial(port);
    for (const byte of "PROPFIND /p HTTP/1.1\r\nhost: x\r\n\r\n") {
      socket.write(byte);
      await new Promise(setImmediate);
    }
    expect(await readUntil(socket, "PROPFIND /p")).toContain("200 OK");
  });

  test.each(["garbage\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "\u0016\u0003\u0001\u0002\u0000"])(
    "answers %j with 400",
    async (bytes) => {
      const { port } = await serve(echo);
      const socket = await dial(port);
      socket.write(bytes);
      expect(await readAll(socket)).toContain("HTTP/1.1 400");
    },
  );

  test("says that an address is taken", async () => {
    const { port } = await serve(echo);
    const { createListener } = await import("../../../src/http/server/listener.ts");
    await expect(createListener({ handler: echo }).listen("127.0.0.1", port)).rejects.toThrow("EADDRINUSE");
  });

  test("answers 500 for a handler that throws, and logs it", async () => {
    const logged: string[] = [];
    const log = (_fields: object, text: string) => void logged.push(text);
    const handler: HttpHandler = () => {
      throw new Error("oops");
    };
    const { port } = await serve(handler, { logger: { warn: log, error: log } });
    expect((await ask(port, "/")).status).toBe(500);
    expect((await http2Request(port, {})).status).toBe(500);
    expect(logged).toEqual(["a request handler failed", "a request handler failed"]);
  });
});

describe("a connection is closed", () => {
  test.each(["", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"])(
    "that says only %j and nothing more",
    async (bytes) => {
      const { port } = await serve(echo, { limits: { prefaceMs: 50 } });
      const socket = await dial(port);
      socket.write(bytes);
      expect(await readAll(socket)).toBe("");
    },
  );

  test("whose peer ends it before it said anything", async () => {
    const { port } = await serve(echo);
    const socket = await dial(port);
    socket.end("PR");
    expect(await readAll(socket)).toBe("");
  });

  test("whose headers do not arrive in time", async () => {
    const { port } = await serve(echo, { limits: { headersMs: 50 } });
    const socket = await dial(port);
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n");
    expect(await readAll(socket)).toContain("HTTP/1.1 408");
  });

  test("whose request body does not arrive in time, while a response may take longer", async () => {
    const { handler, next } = holding();
    const { port } = await serve(handler, { limits: { headersMs: 50, requestMs: 100 } });
    const slow = await dial(port);
    const fine = await dial(port);
    const response = next();
    fine.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    const res = await response;
    slow.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nx");
    await readAll(slow);
    res.end("late");
    expect(await readUntil(fine, "late")).toContain("200 OK");
  });

  test("whose HTTP/2 request body does not arrive in time is reset, and the session goes on", async () => {
    const { port } = await serve(echo, { limits: { requestMs: 50 } });
    const session = openSession(port);
    const stream = session.request({ ":method": "POST" }, { endStream: false });
    stream.on("error", () => {});
    stream.write("x");
    await new Promise((resolve) => stream.once("close", resolve));
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
    expect(session.closed).toBe(false);
  });

  test("whose HTTP/2 session carries nothing, but not one that carries a stream", async () => {
    const { handler, next } = holding();
    const { port } = await serve(handler, { limits: { keepAliveMs: 50 } });
    const idle = openSession(port);
    const busy = openSession(port);
    const response = next();
    const stream = busy.request({});
    const res = await response;
    await once(idle, "close");
    expect(busy.closed).toBe(false);
    res.end("late");
    let body = "";
    for await (const part of stream) body += String(part);
    expect(body).toBe("late");
    await once(busy, "close");
  });

  test("whose peer's FIN comes on HTTP/2", async () => {
    const { port } = await serve(echo);
    const socket = await dial(port);
    socket.write(Buffer.concat([Buffer.from(preface), settings]));
    await once(socket, "data");
    socket.end();
    await new Promise((resolve) => socket.once("close", resolve));
    expect(socket.destroyed).toBe(true);
  });

  test("that sends more pings than it has reason to", async () => {
    const { port } = await serve(echo, { limits: { maxPings: 100 } });
    const session = openSession(port);
    const gone = new Promise<number>((resolve) => session.once("goaway", resolve));
    const closed = new Promise((resolve) => session.once("close", resolve));
    await once(session, "connect");
    const ping = () => !session.destroyed && session.ping(() => ping());
    for (let i = 0; i < 5; i++) ping();
    await closed;
    expect(await gone).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });

  test("over the most that are open at once", async () => {
    const { port } = await serve(echo, { limits: { maxConnections: 1 } });
    const first = await dial(port);
    const second = await dial(port);
    expect(await readAll(second)).toBe("");
    first.write("GET /first HTTP/1.1\r\nhost: x\r\n\r\n");
    await readUntil(first, "/first");
  });

  test.each(["http1", "http2"])("whose client takes nothing of its response (%s)", async (version) => {
    const closed = Promise.withResolvers<string>();
    const handler: HttpHandler = (req, res) => {
      res.once("close", () => closed.resolve(req.httpVersion));
      res.end(Buffer.alloc(20_000_000));
    };
    const { port } = await serve(handler, { limits: { writeStallMs: 100 } });
    if (version === "http1") {
      const socket = await dial(port);
      socket.pause();
      socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    } else
      openSession(port)
        .request({})
        .on("error", () => {});
    expect(await closed.promise).toBe(version === "http1" ? "1.1" : "2.0");
  });

  test("and HTTP/2 streams over the bound are refused", async () => {
    const { handler, held, next } = holding();
    const { port } = await serve(handler, { limits: { maxStreams: 2 } });
    const session = openSession(port);
    await once(session, "remoteSettings");
    expect(session.remoteSettings.maxConcurrentStreams).toBe(2);
    for (let i = 0; i < 2; i++) {
      const response = next();
      session.request({}).on("error", () => {});
      await response;
    }
    expect(held).toHaveLength(2);
  });
});

describe("closing a listener", () => {
  test("lets responses in flight end, closes idle connections, and accepts no more", async () => {
    const { handler, next } = holding();
    const { port, close } = await serve(handler);
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    const idle = await dial(port);
    const fresh = await dial(port);
    let response = next();
    idle.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    (await response).end("first");
    await readUntil(idle, "first");
    response = next();
    const req = httpRequest({ port, agent }).end();
    const busy = await response;
    const session = openSession(port);
    response = next();
    const stream = session.request({});
    const busy2 = await response;
    const goaway = once(session, "goaway");

    const ended = [idle, fresh].map((socket) => readAll(socket));
    const closed = close(20_000);
    await Promise.all(ended);
    await goaway;
    await expect(ask(port, "/")).rejects.toThrow("ECONNREFUSED");
    busy.end("one");
    busy2.end("two");
    const [res] = await once(req, "response");
    expect(res.headers.connection).toBe("close");
    let body = "";
    for await (const part of res) body += String(part);
    for await (const part of stream) body += String(part);
    expect(body).toBe("onetwo");
    await closed;
  });

  test("does not cut a response that is not yet taken", async () => {
    const began = Promise.withResolvers<void>();
    const size = 20_000_000;
    const { port, close } = await serve((_req, res) => {
      res.end(Buffer.alloc(size, "x"));
      began.resolve();
    });
    const socket = await dial(port);
    socket.pause();
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await began.promise;
    const closed = close(20_000);
    expect((await readAll(socket)).length).toBeGreaterThan(size);
    await closed;
  });

  test("destroys what has not ended in time", async () => {
    const { handler, next } = holding();
    const { port, close } = await serve(handler);
    const socket = await dial(port);
    let response = next();
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await response;
    const session = openSession(port);
    response = next();
    session.request({}).on("error", () => {});
    await response;
    const gone = [readAll(socket), new Promise((resolve) => session.once("close", resolve))];
    await close(50);
    await Promise.all(gone);
    expect(session.destroyed).toBe(true);
  });

  test("of a listener that never listened does nothing", async () => {
    const { createListener } = await import("../../../src/http/server/listener.ts");
    await expect(createListener({ handler: echo }).close(10)).resolves.toBeUndefined();
  });
});
