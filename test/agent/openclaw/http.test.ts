import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createNetServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createHttp } from "../../../agent/openclaw/http.ts";

const bounds = { connectMs: 5_000 };
const GET = { method: "GET", headers: {} } as const;
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function serve(server: Server, host = "127.0.0.1"): Promise<number> {
  closers.push(() => server.close().closeAllConnections());
  server.listen(0, host);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function clientOf(url: string, connectMs = bounds.connectMs) {
  const closing = new AbortController();
  const http = createHttp(url, { connectMs }, closing.signal);
  closers.push(() => (closing.abort(), http.close()));
  return { http, closing, never: new AbortController().signal };
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  let text = "";
  for await (const piece of body) text += piece.toString();
  return text;
}

describe("the HTTP client of a model's server", () => {
  it("sends method, path, headers and a body with its length, and gives status, headers and body back", async () => {
    const port = await serve(
      createServer((request, response) => {
        const answer = async () => {
          const { method, url, headers } = request;
          const body = await textOf(request);
          const told = { method, url, length: headers["content-length"], own: headers["x-own"], body };
          response.writeHead(418, { "x-told": "yes" }).end(JSON.stringify(told));
        };
        void answer();
      }),
    );
    const { http, never } = clientOf(`http://127.0.0.1:${port}/ignored`);
    const request = { method: "POST", headers: { "x-own": "1" }, body: "é" } as const;
    const answer = await http.send("/v1/chat/completions?x=1", request, never);
    expect([answer.statusCode, answer.headers["x-told"]]).toEqual([418, "yes"]);
    const told = { method: "POST", url: "/v1/chat/completions?x=1", length: "2", own: "1", body: "é" };
    expect(JSON.parse(await textOf(answer.body))).toEqual(told);
  });

  it("uses a connection again after an answer was read", async () => {
    const ports: (number | undefined)[] = [];
    const port = await serve(
      createServer((request, response) => {
        ports.push(request.socket.remotePort);
        response.end("ok");
      }),
    );
    const { http, never } = clientOf(`http://127.0.0.1:${port}`);
    for (let n = 0; n < 3; n++) {
      const { body } = await http.send("/", GET, never);
      await textOf(body);
      await new Promise((resolve) => setImmediate(resolve)); // the connection is free a turn later
    }
    expect(new Set(ports).size).toBe(1);
  });

  it("reaches a server at an IPv6 address", async () => {
    const port = await serve(
      createServer((_, response) => response.end("six")),
      "::1",
    );
    const { http, never } = clientOf(`http://[::1]:${port}`);
    expect(await textOf((await http.send("/", GET, never)).body)).toBe("six");
  });

  it("tells the system's code if nobody listens", async () => {
    const server = createServer();
    const port = await serve(server);
    server.close();
    const { http, never } = clientOf(`http://127.0.0.1:${port}`);
    await expect(http.send("/", GET, never)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("gives up a server that takes the connection and shakes no hands, in the time that connecting has", async () => {
    const silent = createNetServer();
    closers.push(() => silent.close());
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const { http, never } = clientOf(`https://127.0.0.1:${port}`, 50);
    await expect(http.send("/", GET, never)).rejects.toMatchObject({ code: "ETIMEDOUT" });
  });

  it("waits without end for the answer of a server that it is connected to", async () => {
    const port = await serve(createServer((_, response) => setTimeout(() => response.end("late"), 300)));
    const { http, never } = clientOf(`http://127.0.0.1:${port}`, 50);
    expect(await textOf((await http.send("/", GET, never)).body)).toBe("late");
  });

  it.each(["the call's signal", "the client's closing"])(
    "drops the connection before and after the headers when %s aborts",
    async (what) => {
      const gone: Promise<unknown>[] = [];
      const server = createServer((request, response) => {
        gone.push(once(request.socket, "close"));
        if (request.url === "/headers") response.writeHead(200).write("begun");
      });
      const port = await serve(server);
      for (const path of ["/silent", "/headers"]) {
        const { http, closing } = clientOf(`http://127.0.0.1:${port}`);
        const own = new AbortController();
        const asked = once(server, "request");
        const sent = http.send(path, GET, own.signal);
        const outcome = sent.then(async ({ body }) => await textOf(body));
        await asked;
        if (path === "/headers") await sent;
        (what === "the call's signal" ? own : closing).abort();
        await expect(outcome).rejects.toThrow(/abort/i);
        await gone.at(-1);
      }
    },
  );

  it("rejects the body of an answer that breaks off", async () => {
    const port = await serve(
      createServer((_, response) => {
        response.writeHead(200, { "content-length": "100" }).write("half");
        setImmediate(() => response.destroy());
      }),
    );
    const { http, never } = clientOf(`http://127.0.0.1:${port}`);
    const { body } = await http.send("/", GET, never);
    await expect(textOf(body)).rejects.toThrow("aborted");
  });
});
