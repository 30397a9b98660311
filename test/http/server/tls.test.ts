import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { connect as connectSocket } from "node:net";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { HttpHandler } from "../../../src/http/server/listener.ts";
import type { TlsFiles } from "../../../src/http/server/tls.ts";
import { makeCertificate } from "../../helpers/certificate.ts";
import { serve } from "../serving.ts";

let files: TlsFiles;

beforeAll(() => {
  files = makeCertificate();
});

const echo: HttpHandler = (req, res) => res.writeHead(200).end(`${req.httpVersion} ${req.url}`);

function askHttp1(port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, ca: files.cert, agent: false };
    request(options, (res) => {
      let text = "";
      res.on("data", (part: Buffer) => (text += part.toString()));
      res.on("end", () => resolve(text));
    })
      .on("error", reject)
      .end();
  });
}

function openSession(port: number) {
  const session = connectHttp2(`https://localhost:${port}`, { ca: files.cert });
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  return session;
}

async function ask(session: ReturnType<typeof openSession>, path: string): Promise<string> {
  const stream = session.request({ ":path": path });
  let text = "";
  for await (const part of stream) text += String(part);
  return text;
}

describe("a port with a certificate", () => {
  test("speaks HTTP/2 and HTTP/1.1, whichever the client asks for", async () => {
    const { port } = await serve(echo, { tls: files });
    expect(await askHttp1(port, "/a")).toBe("1.1 /a");
    expect(await ask(openSession(port), "/b")).toBe("2.0 /b");
  });

  test("carries forty requests at once on one connection", async () => {
    const held: (() => void)[] = [];
    const { port } = await serve(
      (_req, res) => {
        held.push(() => res.end("done"));
        if (held.length === 40) for (const answer of held) answer();
      },
      { tls: files },
    );
    const session = openSession(port);
    const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(session, `/${i}`)));
    expect(answers).toEqual(Array.from({ length: 40 }, () => "done"));
  });

  test("refuses cleartext, and goes on", async () => {
    const { port } = await serve(echo, { tls: files });
    const socket = connectSocket(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    socket.resume();
    await once(socket, "close");
    expect(await askHttp1(port, "/after")).toBe("1.1 /after");
  });

  test("closes a connection that does not finish its handshake", async () => {
    const { port } = await serve(echo, { tls: files, limits: { prefaceMs: 50 } });
    const socket = connectSocket(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.resume();
    await once(socket, "close");
    expect(socket.bytesRead).toBe(0);
  });

  test("lets a response under way end when it closes", async () => {
    const { promise: asked, resolve: onAsked } = Promise.withResolvers<() => void>();
    const { port, close } = await serve((_req, res) => onAsked(() => res.end("whole")), { tls: files });
    const answer = ask(openSession(port), "/");
    const finish = await asked;
    const closed = close(5_000);
    finish();
    expect(await answer).toBe("whole");
    await closed;
  });
});
