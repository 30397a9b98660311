import { connect as connectSocket } from "node:net";
import { connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { once } from "node:events";
import { pino } from "pino";
import { ValinorError, reasons } from "../../src/core/errors.ts";
import { createLifecycle } from "../../src/core/lifecycle.ts";
import type { SendInput } from "../../src/core/inputs.ts";
import type { Caller, SendResult } from "../../src/core/types.ts";
import { createHandler } from "../../src/handler.ts";
import { createGuard } from "../../src/http/guard/guard.ts";
import { createListener } from "../../src/http/server/listener.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { caller, fakeCore } from "../http/fake-core.ts";

/** A server that answers unary calls in one of the two ways, and what came of it. */
export interface Way {
  readonly port: number;
  /** For each call that reached the core: what it was asked, and whether it came on the direct way. */
  readonly sent: { readonly input: SendInput; readonly direct: boolean; readonly tenant: string }[];
  /** Reasons by which signals of calls that hang were aborted. */
  readonly aborted: Promise<void>[];
  readonly internal: unknown[];
  cut(): void;
}

/** Starts both: the library's, and the direct one. They end after the last test of the file. */
export async function startBothWays(): Promise<{ readonly library: Way; readonly direct: Way }> {
  return { library: await startWay(false), direct: await startWay(true) };
}

async function startWay(direct: boolean): Promise<Way> {
  const lifecycle = createLifecycle();
  const sent: Way["sent"] = [];
  const aborted: Promise<void>[] = [];
  const internal: unknown[] = [];
  const logger = pino({ level: "silent" });
  logger.error = (fields: { err: unknown }) => void internal.push(fields.err);
  const handler = createHandler({
    guard: createGuard({ allowedOrigins: ["https://app.example"], allowedHosts: [], loopbackOnly: true }),
    core: fakeCore({
      admit,
      send(who, input, signal) {
        const { stack = "" } = new Error("where from");
        sent.push({ input, direct: stack.includes("/rpc/direct/"), tenant: who.tenant });
        if (input.message.content === "hang") aborted.push(abortOf(signal));
        return answer(input, signal);
      },
      cancel: () => Promise.resolve(true),
      pushContext: () => Promise.resolve({ applied: false, reason: "why", refused: false, timedOut: true }),
      pushConfig: () => Promise.resolve({ revision: 7, applied: true, reason: "" }),
    }),
    identify,
    logger,
    lifecycle,
    storeIntact: () => true,
    direct,
  });
  const listener = createListener({ handler });
  const { port } = await listener.listen("127.0.0.1", 0);
  afterFile(() => {
    lifecycle.enter("cutting");
    return listener.close(0);
  });
  return { port, sent, aborted, internal, cut: () => lifecycle.enter("cutting") };
}

function identify(authorization: string | undefined, tenant: string | undefined): Caller | Promise<Caller> {
  const known = tenant === undefined ? caller : { ...caller, tenant };
  if (authorization === "Bearer bad") throw new ValinorError("UNAUTHENTICATED", "the token is bad: é, 100 %");
  if (authorization === "Bearer bad-later")
    return Promise.reject(new ValinorError("UNAUTHENTICATED", "the token is bad"));
  if (authorization === "Bearer broken") throw new Error("the store of keys broke");
  return authorization === "Bearer later" ? Promise.resolve(known) : known;
}

function admit(who: Caller): Caller | Promise<Caller> {
  if (who.tenant === "poor")
    return Promise.reject(new ValinorError("RATE_LIMITED", "slowly", { retryMs: 1_500 }));
  if (who.tenant === "shut")
    throw new ValinorError("PERMISSION_DENIED", "this needs the permission agents:write");
  return who;
}

const done: SendResult = {
  requestId: "r1",
  content: "hello",
  finishReason: "stop",
  toolCalls: [],
  resumable: true,
};

/** Answers by the message's text. */
async function answer(input: SendInput, signal: AbortSignal): Promise<SendResult> {
  const { content } = input.message;
  const reason = reasons.find((name) => name === content);
  if (reason !== undefined)
    throw new ValinorError(reason, `why: ${reason}, 50 % of ünïcode`, {
      metadata: { agent_id: input.agentId },
    });
  switch (content) {
    case "crash":
      throw new Error("password=hunter2");
    case "hang":
      await abortOf(signal);
      throw new ValinorError("CLIENT_GONE", "the client left", { metadata: { request_id: "r1" } });
    case "nothing":
      return { requestId: "", content: "", finishReason: "", toolCalls: [], resumable: false };
    case "usage":
      return { ...done, usage: { promptTokens: 3, completionTokens: 0, totalTokens: 3 } };
    case "no usage":
      return { ...done, usage: { promptTokens: 0, completionTokens: 0, totalTokens: 0 } };
    case "tools": {
      const call = {
        kind: "tool_call",
        sequence: 1,
        callId: "c1",
        toolName: "look",
        arguments: '{"a":1}',
      } as const;
      return { ...done, finishReason: "tool_calls", toolCalls: [call, { ...call, callId: "" }] };
    }
    case "long":
      return { ...done, content: 'é"\\\n\u2028😀'.repeat(1_000) };
    case "half":
      return { ...done, content: "half a pair: \ud83d" };
    case "input":
      return { ...done, content: JSON.stringify(input) };
    default:
      return done;
  }
}

function abortOf(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** What a client of HTTP/1 reads that sends these bytes: all of it until the connection's end, but for the time. */
export async function overHttp1(port: number, pieces: readonly (string | Buffer)[]): Promise<string> {
  const socket = connectSocket(port, "127.0.0.1");
  await once(socket, "connect");
  let text = "";
  socket.setEncoding("latin1").on("data", (part: string) => (text += part));
  socket.on("error", () => {});
  for (const piece of pieces) {
    socket.write(piece);
    // A piece of its own for the server, if the machine lets it.
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (!socket.closed) await once(socket, "close");
  return text.replaceAll(/^Date: .*\r\n/gm, "");
}

/** What a client of HTTP/2 reads of one stream. */
export interface StreamAnswer {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly trailers: IncomingHttpHeaders;
  readonly code: number;
}

/** Sends one request of HTTP/2 with prior knowledge; `open`: its end is not sent. */
export async function overHttp2(
  port: number,
  headers: Record<string, string>,
  pieces: readonly Buffer[],
  open = false,
): Promise<StreamAnswer> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  const stream = session.request(headers, { endStream: false });
  const got = { headers: {} as IncomingHttpHeaders, trailers: {} as IncomingHttpHeaders };
  const parts: Buffer[] = [];
  stream.on("response", (answer) => (got.headers = plain(answer)));
  stream.on("trailers", (answer) => (got.trailers = plain(answer)));
  stream.on("data", (part: Buffer) => parts.push(part));
  stream.on("error", () => {});
  for (const piece of pieces) {
    stream.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (!open) stream.end();
  if (!stream.closed) await once(stream, "close");
  session.destroy();
  return { ...got, body: Buffer.concat(parts).toString("latin1"), code: stream.rstCode ?? 0 };
}

/** Headers as an object like any other, without the time. */
function plain(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const rest = { ...headers };
  delete rest.date;
  return rest;
}

/** A message in its envelope. */
export function envelope(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
