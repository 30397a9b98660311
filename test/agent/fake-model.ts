import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { attachGateway, type FakeGateway } from "./fake-gateway.ts";
import { Inbox } from "./inbox.ts";

/** A call of the model that a test answers. */
export interface ModelCall {
  readonly body: Record<string, unknown> & { messages: { role: string; content: string }[] };
  readonly headers: IncomingHttpHeaders;
  readonly response: ServerResponse;
  /** Resolves when the connection of the call is gone or the answer complete. */
  readonly closed: Promise<void>;
  /** Begins a streamed answer; the other methods do so by themselves. */
  open(): void;
  /** Writes one event. */
  event(value: unknown): void;
  /** Writes text of choice 0, an event for each piece. */
  text(...pieces: string[]): void;
  /** Writes a delta of a choice. */
  delta(delta: unknown, choice?: number): void;
  /** Writes finish reason, usage and [DONE], and ends the answer; before it a word, if there was none: an empty answer is none. */
  finish(reason?: string): void;
  /** Answers with JSON and a status. */
  json(status: number, value: unknown): void;
}

/** An OpenAI-compatible server that a test controls. */
export interface FakeModel {
  readonly url: string;
  /** Status of /readyz: 200 and 503 are a real OpenClaw's, with a gateway beside the model. */
  ready: number;
  /** What /readyz answers; undefined: what OpenClaw does. */
  readyBody: string | undefined;
  readonly gateway: FakeGateway;
  /** Calls so far. */
  readonly calls: number;
  /** The next call. */
  next(): Promise<ModelCall>;
  close(): void;
}

export const usage = { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 };

export async function startModel(): Promise<FakeModel> {
  const calls = new Inbox<ModelCall>();
  let count = 0;
  const server = createServer((request, response) => {
    if (request.url === "/readyz") {
      const isReady = model.ready === 200;
      const body = { ready: isReady, failing: isReady ? [] : ["startup-sidecars"], uptimeMs: 5 };
      const own = isReady || model.ready === 503 ? JSON.stringify(body) : "";
      response.writeHead(model.ready).end(model.readyBody ?? own);
      return;
    }
    count++;
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(pieces).toString()) as ModelCall["body"];
      calls.put(callOf(body, request.headers, response));
    });
  });
  const gateway = attachGateway(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const model: FakeModel = {
    url: `http://127.0.0.1:${port}`,
    ready: 404,
    readyBody: undefined,
    gateway,
    get calls() {
      return count;
    },
    next: () => calls.take(),
    close() {
      server.close();
      server.closeAllConnections();
      gateway.drop();
    },
  };
  return model;
}

function callOf(body: ModelCall["body"], headers: IncomingHttpHeaders, response: ServerResponse): ModelCall {
  const closed = new Promise<void>((resolve) => response.once("close", resolve));
  const call: ModelCall = {
    body,
    headers,
    response,
    closed,
    open() {
      if (response.headersSent) return;
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.flushHeaders();
    },
    event(value) {
      call.open();
      response.write(`data: ${JSON.stringify(value)}\n\n`);
    },
    text(...pieces) {
      for (const content of pieces) call.delta({ content });
    },
    delta: (delta, index = 0) => call.event({ choices: [{ index, delta, finish_reason: null }] }),
    finish(reason = "stop") {
      if (!response.headersSent) call.text("ok");
      call.event({ choices: [{ index: 0, delta: {}, finish_reason: reason }] });
      call.event({ choices: [], usage });
      response.end("data: [DONE]\n\n");
    },
    json(status, value) {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    },
  };
  return call;
}
