import { setTimeout as sleep } from "node:timers/promises";
import { Failure, monotonicNow } from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";
import { type AnswerBody, readAnswer, readText, type TakeEvents } from "./answer/answer.ts";
import { describeBody, describeError } from "./describe.ts";
import { createGateway } from "./gateway/gateway.ts";
import { GatewayError } from "./gateway/gateway-link.ts";
import { greetsAsOpenClaw } from "./gateway/greeting.ts";
import { createHttp, type HttpAnswer, pathsOf } from "./http.ts";
import { createOwnModel } from "./gateway/own-model.ts";
import { createProbe, type ReadyAnswer, type ServerState } from "./probe.ts";
import type { ModelRequest } from "../runs/model.ts";
import type { ServerKind } from "../settings/options.ts";
import { authorization, PLAIN_BYTES, requestBody, requestHeaders } from "./request.ts";
import { steer, type Steering } from "./gateway/steer.ts";
import { createToolWatch } from "./answer/tool-watch.ts";

/** The OpenClaw beside the agent, or any server of OpenAI's chat completions. */
export interface OpenClaw {
  /**
   * Runs a request and hands on its events, the last one `finish`. Resolves after that. Rejects with Failure; the signal
   * drops the call at once, which ends the model's work too. `onTool`, where it is given, is told the tools that a real
   * OpenClaw begins to run by itself, denied ones included.
   */
  run(
    request: ModelRequest,
    signal: AbortSignal,
    take: TakeEvents,
    onTool?: (name: string) => void,
  ): Promise<void>;
  /**
   * Makes a real OpenClaw have that model and those tools. Resolves when they are in force, with a sentence where they are
   * refused; at once with an ordinary server, which has no such powers. Rejects with GatewayError after `applyMs`
   * where OpenClaw is away: nothing is known then.
   */
  apply(wanted: Steering): Promise<string | undefined>;
  readonly state: ServerState;
  /** Undefined before that could be told. */
  readonly kind: ServerKind | undefined;
  /** How that is known, or why it is not: a sentence for people. Empty before the first answer. */
  readonly kindReason: string;
  /** Begins to probe. */
  start(): void;
  /** Stops probing and drops what is under way. */
  close(): Promise<void>;
}

/** Where OpenClaw is and how to talk to it. */
export interface OpenClawOptions {
  /** http or https; with or without a path, `/v1` and `/chat/completions`. */
  readonly url: string;
  /** What kind of server it is; undefined: it is found out. */
  readonly serverKind: ServerKind | undefined;
  readonly token: string | undefined;
  /** Where to remember what OpenClaw had before the agent changed it. */
  readonly stateDir: string | undefined;
  readonly bounds: Bounds;
  /** State or kind have changed. */
  onChange(): void;
}

/** Largest body of a failed answer that is looked at. */
const ERROR_BODY_BYTES = 64 * 1024;
/** Statuses that may mean that the URL is wrong. */
const isMisplaced = (status: number) => (status >= 300 && status < 400) || status === 404 || status === 405;
/** Waits between attempts to apply a configuration: the first and the longest. */
const APPLY_WAIT_MS = { least: 100, most: 1_000 } as const;

/** Makes a client. The HTTP library is loaded with the first request, not when the agent starts. */
export function createOpenClaw(options: OpenClawOptions): OpenClaw {
  const { bounds, token } = options;
  const closing = new AbortController();
  const http = createHttp(options.url, bounds, closing.signal);
  const tools = createToolWatch();
  const paths = pathsOf(options.url);
  const gateway = createGateway({
    url: paths.gateway,
    token,
    bounds,
    onItem: (payload) => tools.item(payload),
  });
  const ownModel = createOwnModel(options.stateDir);
  const probe = createProbe(
    bounds,
    { ready: askReady, greets: () => greetsAsOpenClaw(paths.gateway, bounds) },
    options.serverKind,
    () => options.onChange(),
  );

  /** OpenClaw tells those who know its token more than whether it is ready. */
  async function askReady(): Promise<ReadyAnswer> {
    const headers = { ...PLAIN_BYTES, ...authorization(token) };
    const signal = AbortSignal.timeout(bounds.probeTimeoutMs);
    const answer = await http.send(paths.readyz, { method: "GET", headers }, signal);
    const body = await readText(bodyOf(answer), ERROR_BODY_BYTES).catch(() => "");
    return { status: answer.statusCode, body };
  }

  async function send(request: ModelRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const kind = probe.kind ?? "openclaw";
    const headers = requestHeaders(request, kind, token);
    const body = requestBody(request, kind);
    try {
      return await http.send(paths.completions, { method: "POST", headers, body }, signal);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new Failure("request_error", `OpenClaw cannot be reached${code ? ` (${code})` : ""}`, error);
    }
  }

  async function complete(
    request: ModelRequest,
    signal: AbortSignal,
    take: TakeEvents,
    onId: (id: string) => void,
  ): Promise<void> {
    const answer = await send(request, signal);
    const { statusCode } = answer;
    answer.body.on("error", () => {}); // told by the reading below; an abort after it is nobody's news
    await take([]); // the headers are a sign of life
    if (statusCode < 200 || statusCode > 299) throw await refusalOf(answer, paths.completions);
    await readAnswer(bodyOf(answer), bounds, take, onId);
  }

  /** The same, while the gateway tells which tools OpenClaw runs. */
  async function completeWatched(
    request: ModelRequest,
    signal: AbortSignal,
    take: TakeEvents,
    onTool: (name: string) => void,
  ): Promise<void> {
    const held = gateway.hold();
    let following: { stop(): void } | undefined;
    try {
      await held.opened;
      await complete(request, signal, take, (id) => (following = tools.follow(id, onTool)));
    } finally {
      following?.stop();
      held.release();
    }
  }

  /** One attempt; undefined where another is worth it. */
  async function attempt(
    wanted: Steering,
    signal: AbortSignal,
  ): Promise<{ readonly refusal: string | undefined } | GatewayError> {
    await probe.ready();
    if (probe.kind === "plain") return { refusal: undefined };
    try {
      return { refusal: await steer(wanted, gateway, ownModel, signal) };
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      if (error.retryable) return error;
      return { refusal: `OpenClaw's gateway refuses the agent: ${describeError(error.message)}` };
    }
  }

  return {
    async run(request, signal, take, onTool) {
      try {
        await probe.ready();
        const watched = onTool !== undefined && probe.kind === "openclaw";
        if (watched) await completeWatched(request, signal, take, onTool);
        else await complete(request, signal, take, () => {});
      } catch (error) {
        if (!signal.aborted) probe.hurry();
        throw withoutToken(error, token);
      }
    },
    async apply(wanted) {
      const until = monotonicNow() + bounds.applyMs;
      const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(bounds.applyMs)]);
      for (let wait: number = APPLY_WAIT_MS.least; ; wait = Math.min(2 * wait, APPLY_WAIT_MS.most)) {
        const outcome = await attempt(wanted, signal);
        if (!(outcome instanceof GatewayError)) return outcome.refusal;
        const pause = Math.max(wait, outcome.retryAfterMs ?? 0);
        if (signal.aborted || monotonicNow() + pause >= until) throw outcome;
        probe.hurry();
        await sleep(pause, undefined, { signal });
      }
    },
    get state() {
      return probe.state;
    },
    get kind() {
      return probe.kind;
    },
    get kindReason() {
      return probe.kindReason;
    },
    // Not before the agent has said that it listens: the HTTP library is loaded for it.
    start: () => void setImmediate(() => probe.hurry()),
    async close() {
      probe.close();
      closing.abort();
      gateway.close();
      await http.close();
    },
  };
}

/** The same, where a server repeats the token that it was told: it is nobody's business. */
function withoutToken(error: unknown, token: string | undefined): unknown {
  if (token === undefined || !(error instanceof Failure) || !error.message.includes(token)) return error;
  return new Failure(error.code, error.message.replaceAll(token, "[token]"), error.cause);
}

function bodyOf({ headers, body }: HttpAnswer): AnswerBody {
  return { body, type: textOf(headers["content-type"]), encoding: textOf(headers["content-encoding"]) };
}

/** What an answer with another status than 2xx says: the status, where that helps the path, and the server's words. */
async function refusalOf(answer: HttpAnswer, path: string): Promise<Failure> {
  const { statusCode, headers } = answer;
  const words = await readText(bodyOf(answer), ERROR_BODY_BYTES).catch(() => "");
  const where = isMisplaced(statusCode) ? ` to POST ${path}` : "";
  const said = describeBody(words) + retryAfter(textOf(headers["retry-after"]));
  return new Failure("openclaw_error", `OpenClaw answered ${statusCode}${where}${said}`);
}

const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** When the server says that it will have time again. */
function retryAfter(header: string): string {
  if (/^\d{1,6}(?:\.\d{1,3})?$/.test(header)) return `; it asks to wait ${Number(header)} s`;
  const date = HTTP_DATE.test(header) ? Date.parse(header) : NaN;
  return Number.isNaN(date) ? "" : `; it asks to wait until ${new Date(date).toISOString()}`;
}

function textOf(header: string | string[] | undefined): string {
  return Array.isArray(header) ? header.join(",") : (header ?? "");
}
