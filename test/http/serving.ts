import { request, type IncomingHttpHeaders } from "node:http";
import { connect as connectSocket, type Socket } from "node:net";
import { once } from "node:events";
import type { Core } from "../../src/core/types.ts";
import { createListener, type HttpHandler, type ListenerOptions } from "../../src/http/server/listener.ts";
import { answerNotFound, createRestHandler, type RestOptions } from "../../src/http/api.ts";
import { onTestFinished } from "vitest";
import { caller } from "./fake-core.ts";

/** A response, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What a test asks. */
export interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

/** Listens on a free port of 127.0.0.1 until the test has finished. */
export async function serve(handler: HttpHandler, options: Partial<ListenerOptions> = {}) {
  const listener = createListener({ handler, ...options });
  const { port } = await listener.listen("127.0.0.1", 0);
  let closed: Promise<void> | undefined;
  const close = (drainMs: number) => (closed ??= listener.close(drainMs));
  onTestFinished(() => close(0));
  return { port, close };
}

/** Serves the REST API over a core until the test has finished. */
export async function serveRest(core: Core, options: Partial<RestOptions> = {}) {
  const rest = createRestHandler({ core, identify: () => caller, ...options });
  return serve((req, res) => {
    if (!rest(req, res)) answerNotFound(res);
  });
}

/** Asks over HTTP/1.1, and reads the answer to its end. */
export async function ask(port: number, path: string, { method, headers, body }: Ask = {}): Promise<Answer> {
  const req = request({
    port,
    path,
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers,
    agent: false,
  });
  req.end(body);
  const [res] = await once(req, "response");
  let text = "";
  for await (const part of res) text += part;
  return { status: res.statusCode, headers: res.headers, body: text };
}

/** Opens a raw connection, destroyed when the test has finished. */
export async function dial(port: number): Promise<Socket> {
  const socket = connectSocket(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** Everything a socket says until its end. */
export async function readAll(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (part: Buffer) => (text += part.toString()));
  socket.resume();
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
  return text;
}

/** Reads a socket until its text includes `wanted`; answers all of it. */
export function readUntil(socket: Socket, wanted: string): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    const take = (part: Buffer) => {
      text += part.toString();
      if (!text.includes(wanted)) return;
      socket.off("data", take).off("close", fail);
      resolve(text);
    };
    const fail = () => reject(new Error(`closed before ${wanted}: ${text}`));
    socket.on("data", take).once("close", fail);
  });
}
