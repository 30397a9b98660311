import { createClient, type Transport } from "@connectrpc/connect";
import OpenAI from "openai";
import { pino } from "pino";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { createLifecycle } from "../../src/core/lifecycle.ts";
import type { WatchEvent } from "../../src/core/types.ts";
import { createHandler } from "../../src/handler.ts";
import { createGuard } from "../../src/http/guard/guard.ts";
import { createListener } from "../../src/http/server/listener.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { caller, fakeCore, type FakeRun, fakeRun } from "./fake-core.ts";

/** The real listener, guard, RPC, REST and console over a core whose streams a test hands out piece by piece. */
export interface EdgeServer {
  readonly port: number;
  /** The next stream of a message reads this run. */
  nextRun(): FakeRun;
  /** Tells every watcher of agents of one that was deleted. */
  deleted(agentId: string): void;
}

/** Starts it on a free port of 127.0.0.1 until the last test of the file. */
export async function startEdgeServer(): Promise<EdgeServer> {
  const runs: FakeRun[] = [];
  const watchers = new Set<(event: WatchEvent) => void>();
  const core = fakeCore({
    stream: () => Promise.resolve(runs.shift() ?? fakeRun()),
    watchAgents: (_caller, signal) => watch(watchers, signal),
    listAgents: () => Promise.resolve({ agents: [], nextPageToken: "" }),
  });
  const lifecycle = createLifecycle();
  const handler = createHandler({
    guard: createGuard({ allowedOrigins: [], allowedHosts: [], loopbackOnly: true }),
    core,
    identify: () => caller,
    logger: pino({ level: "silent" }),
    lifecycle,
    storeIntact: () => true,
  });
  const listener = createListener({ handler });
  const { port } = await listener.listen("127.0.0.1", 0);
  afterFile(() => {
    lifecycle.enter("cutting");
    return listener.close(0);
  });
  return {
    port,
    nextRun() {
      const run = fakeRun();
      runs.push(run);
      return run;
    },
    deleted(agentId) {
      for (const tell of watchers) tell({ kind: "deleted", agentId });
    },
  };
}

async function* watch(
  watchers: Set<(event: WatchEvent) => void>,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent> {
  const waiting: WatchEvent[] = [{ kind: "snapshot_complete" }];
  let wake: (() => void) | undefined;
  const tell = (event: WatchEvent) => {
    waiting.push(event);
    wake?.();
  };
  watchers.add(tell);
  signal.addEventListener("abort", () => wake?.());
  while (!signal.aborted) {
    yield* waiting.splice(0);
    if (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
  }
  watchers.delete(tell);
}

/** A stream as its client reads it: each call gives the next piece's text. */
export interface Pieces {
  next(): Promise<string>;
  /** Makes the server send a piece. */
  send(text: string): void;
  close(): void;
}

/** Rejects if the next piece has not come within 10 s: something holds it back. */
export async function arrives(pieces: Pieces, what: string): Promise<string> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what} was held back`)), 10_000);
  try {
    return await Promise.race([pieces.next(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Stream over an RPC protocol. */
export function rpcStream(server: EdgeServer, transport: Transport): Pieces {
  const run = server.nextRun();
  const leave = new AbortController();
  const request = { agentId: "a1", message: { content: "hello" } };
  const events = createClient(AgentProxy, transport).stream(request, { signal: leave.signal });
  const iterator = events[Symbol.asyncIterator]();
  let sequence = 0;
  return {
    async next() {
      const { value, done } = await iterator.next();
      if (done === true) return "end";
      const { event } = value;
      return event.case === "textDelta" ? event.value.text : (event.case ?? "nothing");
    },
    send: (text) => run.push({ kind: "text", sequence: ++sequence, text }),
    close: () => leave.abort(),
  };
}

/** WatchAgents over an RPC protocol. */
export function rpcWatch(server: EdgeServer, transport: Transport): Pieces {
  const leave = new AbortController();
  const events = createClient(AgentRegistry, transport).watchAgents({}, { signal: leave.signal });
  const iterator = events[Symbol.asyncIterator]();
  return {
    async next() {
      const { value, done } = await iterator.next();
      if (done === true) return "end";
      const { event } = value;
      return event.case === "deletedAgentId" ? event.value : (event.case ?? "nothing");
    },
    send: (text) => server.deleted(text),
    close: () => leave.abort(),
  };
}

/** The event stream of REST, as a browser asks for it: with compression. */
export async function sseStream(server: EdgeServer, url: string): Promise<Pieces> {
  const run = server.nextRun();
  const leave = new AbortController();
  const response = await fetch(`${url}/agents/a1/stream`, {
    method: "POST",
    body: '{"content":"hello"}',
    headers: { "accept-encoding": "gzip", accept: "text/event-stream" },
    signal: leave.signal,
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let sequence = 0;
  return {
    async next() {
      for (;;) {
        const end = text.indexOf("\n\n");
        if (end >= 0) {
          const block = text.slice(0, end);
          text = text.slice(end + 2);
          return /"content":"([^"]*)"/.exec(block)?.[1] ?? "opened";
        }
        const part = await reader?.read();
        if (part === undefined || part.done) return "end";
        text += part.value;
      }
    },
    send: (piece) => run.push({ kind: "text", sequence: ++sequence, text: piece }),
    close: () => leave.abort(),
  };
}

/** A streamed chat completion, read by OpenAI's own SDK. Its head only comes with the first piece. */
export async function openaiStream(server: EdgeServer, url: string): Promise<Pieces> {
  const run = server.nextRun();
  run.push({ kind: "keepalive" });
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
  const stream = await client.chat.completions.create({
    model: "a1",
    stream: true,
    messages: [{ role: "user", content: "hello" }],
  });
  const iterator = stream[Symbol.asyncIterator]();
  let sequence = 0;
  return {
    async next() {
      const { value, done } = await iterator.next();
      if (done === true) return "end";
      const { content } = value.choices[0]?.delta ?? {};
      return content === undefined || content === null || content === "" ? "opened" : content;
    },
    send: (piece) => run.push({ kind: "text", sequence: ++sequence, text: piece }),
    close: () => stream.controller.abort(),
  };
}
