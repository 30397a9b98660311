import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { once } from "node:events";
import { streamAnswer, wholeAnswer } from "./answer.ts";
import { ModelRequestError } from "./error.ts";
import { type CompletionRequest, parseCompletion, readBody, type SeenRequest } from "./request.ts";
import { errorBody } from "./wire.ts";

/** The one model that the stand-in lists; requests may name any. */
const MODEL = "scripted-1";
/** Milliseconds between words, unless told otherwise: about how fast a person reads. */
const DEFAULT_WORD_MS = 40;
/** Longest life of one answer; a client that stops reading does not hold it for ever. */
const MAX_ANSWER_MS = 60 * 60 * 1000;

/** Counts of chat completions: `calls` is the sum of the others. */
export interface ModelStats {
  /** Requests that came. */
  readonly calls: number;
  /** Being answered. */
  readonly active: number;
  /** The client left before the answer was complete. */
  readonly aborted: number;
  /** Answered; failures and cuts that were asked for are answers too. */
  readonly finished: number;
}

/** A running stand-in. */
export interface ScriptedModel extends ModelStats {
  /** Base without a path, such as `http://127.0.0.1:41234`. */
  readonly url: string;
  readonly port: number;
  /** The latest requests, the oldest first; none are kept unless `record` says so. */
  readonly requests: readonly SeenRequest[];
  /** Stops at once; answers under way are dropped. */
  close(): Promise<void>;
}

/** How to start a stand-in. */
export interface ScriptedModelOptions {
  /** Port on 127.0.0.1; 0, the default, takes a free one. */
  port?: number;
  /** Milliseconds between words; default 40, 0 is as fast as the client reads. */
  wordMs?: number;
  /** How many of the latest requests are kept to be looked at; default 0. */
  record?: number;
}

/**
 * Starts a stand-in for an OpenAI-compatible model: `POST /v1/chat/completions` (streamed or not) and `GET /v1/models`
 * in OpenAI's shapes. It thinks nothing: it obeys the directives in the last user message (see parseScript) and otherwise
 * says what it heard. `GET /stats` answers ModelStats as JSON. Rejects if the port can't be listened on.
 */
export async function startScriptedModel(options: ScriptedModelOptions = {}): Promise<ScriptedModel> {
  const model = new ListeningModel(options);
  await model.listen(options.port ?? 0);
  return model;
}

class ListeningModel implements ScriptedModel {
  readonly requests: SeenRequest[] = [];
  readonly #wordMs: number;
  readonly #record: number;
  readonly #server: Server;
  #port = 0;
  readonly #stats = { calls: 0, active: 0, aborted: 0, finished: 0 };

  constructor({ wordMs = DEFAULT_WORD_MS, record = 0 }: ScriptedModelOptions) {
    this.#wordMs = wordMs;
    this.#record = record;
    this.#server = createServer((req, res) => this.#route(req, res));
    this.#server.keepAliveTimeout = 75_000;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return this.#port;
  }

  get calls(): number {
    return this.#stats.calls;
  }

  get active(): number {
    return this.#stats.active;
  }

  get aborted(): number {
    return this.#stats.aborted;
  }

  get finished(): number {
    return this.#stats.finished;
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (typeof address === "object" && address !== null) this.#port = address.port;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #route(req: IncomingMessage, res: ServerResponse): void {
    const route = `${req.method} ${(req.url ?? "/").split("?", 1)[0]}`;
    if (route === "POST /v1/chat/completions")
      // Whatever breaks an answer, a client that left above all, breaks that answer alone; its client sees it cut off.
      this.#complete(req, res).catch(() => res.destroy());
    else if (route === "GET /v1/models") sendJson(res, 200, modelList());
    else if (route === "GET /stats") sendJson(res, 200, this.#stats);
    else sendJson(res, 404, errorBody(404, `there is no ${route} here`));
  }

  async #complete(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const leave = new AbortController();
    const signal = AbortSignal.any([leave.signal, AbortSignal.timeout(MAX_ANSWER_MS)]);
    this.#stats.calls++;
    this.#stats.active++;
    let answered = false;
    res.once("close", () => {
      leave.abort();
      this.#stats.active--;
      this.#stats[answered ? "finished" : "aborted"]++;
    });
    try {
      const request = parseCompletion(await readBody(req), MODEL, this.#wordMs);
      if (this.requests.push(request.seen) > this.#record) this.requests.shift();
      await answer(res, request, signal, () => (answered = true));
    } catch (error) {
      if (!(error instanceof ModelRequestError)) throw error;
      answered = true;
      sendJson(res, error.status, errorBody(error.status, error.message));
    }
  }
}

async function answer(
  res: ServerResponse,
  { stream, includeUsage, plan }: CompletionRequest,
  signal: AbortSignal,
  complete: () => void,
): Promise<void> {
  const { fail } = plan.script;
  if (fail !== undefined) throw new ModelRequestError(fail, `the message asked for status ${fail}`);
  if (stream) await streamAnswer(res, plan, includeUsage, signal, complete);
  else await wholeAnswer(res, plan, signal, complete);
}

function modelList(): object {
  return { object: "list", data: [{ id: MODEL, object: "model", created: 1767225600, owned_by: "valinor" }] };
}

function sendJson(res: ServerResponse, status: number, body: object): void {
  if (res.headersSent || res.destroyed) return;
  const json = JSON.stringify(body);
  const closing = status === 413 ? { connection: "close" } : {};
  res.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(json),
    ...closing,
  });
  res.end(json);
}
