import { setTimeout as sleep } from "node:timers/promises";
import { Failure, monotonicNow, type UnknownObject } from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";
import type { ModelRequest } from "../runs/model.ts";
import type { ServerKind } from "../settings/options.ts";
import { readAnswer, type TakeEvents } from "./answer/answer.ts";
import { createToolWatch } from "./answer/tool-watch.ts";
import { describeError } from "./describe.ts";
import { GatewayError } from "./gateway/gateway-link.ts";
import { Gateway } from "./gateway/gateway.ts";
import { greetsAsOpenClaw } from "./gateway/greeting.ts";
import { createOwnModel, type OwnModel } from "./gateway/own-model.ts";
import type { ModelAndTools } from "./gateway/owned-config.ts";
import { setModelAndTools } from "./gateway/set-model-and-tools.ts";
import { createHttp, type Http, type HttpAnswer, pathsOf, type ServerPaths } from "./http.ts";
import { Probe, type ReadyAnswer, type ServerState } from "./probe.ts";
import { bodyOf, readWords, refusalOf, withoutToken } from "./refusal.ts";
import { authorization, PLAIN_BYTES, requestBody, requestHeaders } from "./request.ts";

/** The OpenClaw beside the agent, or any server of OpenAI's chat completions. */
export interface OpenClaw {
  /**
   * Runs a request and hands on its events, the last one `finish`. Resolves after that. Rejects with Failure; the signal
   * drops the call at once, which ends the model's work too. `onTool`, if it is given, is told the tools that a real
   * OpenClaw begins to run by itself, denied ones included.
   */
  run(
    request: ModelRequest,
    signal: AbortSignal,
    take: TakeEvents,
    onTool?: (name: string) => void,
  ): Promise<void>;
  /**
   * Makes a real OpenClaw have that model and those tools. Resolves when they are in force, with a sentence if they are
   * refused; at once with an ordinary server, which has no such powers. Rejects with GatewayError after `applyMs`
   * if OpenClaw is away: nothing is known then.
   */
  apply(wanted: ModelAndTools): Promise<string | undefined>;
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

/** Waits between attempts to apply a configuration: the first and the longest. */
const APPLY_WAIT_MS = { least: 100, most: 1_000 } as const;

/** Makes a client. The HTTP library is loaded with the first request, not when the agent starts. */
export function createOpenClaw(options: OpenClawOptions): OpenClaw {
  return new OpenClawClient(options);
}

class OpenClawClient implements OpenClaw {
  readonly #bounds: Bounds;
  readonly #token: string | undefined;
  readonly #paths: ServerPaths;
  readonly #closing = new AbortController();
  readonly #http: Http;
  readonly #tools = createToolWatch();
  readonly #gateway: Gateway;
  readonly #ownModel: OwnModel;
  readonly #probe: Probe;

  constructor(options: OpenClawOptions) {
    const { url, bounds, token } = options;
    this.#bounds = bounds;
    this.#token = token;
    this.#paths = pathsOf(url);
    this.#http = createHttp(url, bounds, this.#closing.signal);
    const onItem = (payload: UnknownObject) => this.#tools.item(payload);
    this.#gateway = new Gateway({ url: this.#paths.gateway, token, bounds, onItem });
    this.#ownModel = createOwnModel(options.stateDir);
    const questions = {
      ready: () => this.#askReady(),
      greets: () => greetsAsOpenClaw(this.#paths.gateway, bounds),
    };
    this.#probe = new Probe(bounds, questions, options.serverKind, () => options.onChange());
  }

  get state(): ServerState {
    return this.#probe.state;
  }

  get kind(): ServerKind | undefined {
    return this.#probe.kind;
  }

  get kindReason(): string {
    return this.#probe.kindReason;
  }

  start(): void {
    // Not before the agent has said that it listens: the HTTP library is loaded for it.
    setImmediate(() => this.#probe.hurry());
  }

  async close(): Promise<void> {
    this.#probe.close();
    this.#closing.abort();
    this.#gateway.close();
    this.#http.close();
  }

  async run(
    request: ModelRequest,
    signal: AbortSignal,
    take: TakeEvents,
    onTool?: (name: string) => void,
  ): Promise<void> {
    try {
      await this.#probe.ready();
      const watched = onTool !== undefined && this.#probe.kind === "openclaw";
      if (watched) await this.#completeWatched(request, signal, take, onTool);
      else await this.#complete(request, signal, take, () => {});
    } catch (error) {
      if (!signal.aborted) this.#probe.hurry();
      throw withoutToken(error, this.#token);
    }
  }

  async apply(wanted: ModelAndTools): Promise<string | undefined> {
    const { applyMs } = this.#bounds;
    const until = monotonicNow() + applyMs;
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(applyMs)]);
    for (let wait: number = APPLY_WAIT_MS.least; ; wait = Math.min(2 * wait, APPLY_WAIT_MS.most)) {
      const outcome = await this.#attempt(wanted, signal);
      if (!(outcome instanceof GatewayError)) return outcome.refusal;
      const pause = Math.max(wait, outcome.retryAfterMs ?? 0);
      if (signal.aborted || monotonicNow() + pause >= until) throw outcome;
      this.#probe.hurry();
      await sleep(pause, undefined, { signal });
    }
  }

  /** One attempt to apply; the error, if another attempt is worth it. */
  async #attempt(
    wanted: ModelAndTools,
    signal: AbortSignal,
  ): Promise<{ readonly refusal: string | undefined } | GatewayError> {
    await this.#probe.ready();
    if (this.#probe.kind === "plain") return { refusal: undefined };
    try {
      return { refusal: await setModelAndTools(wanted, this.#gateway, this.#ownModel, signal) };
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      if (error.retryable) return error;
      return { refusal: `OpenClaw's gateway refuses the agent: ${describeError(error.message)}` };
    }
  }

  /** OpenClaw tells those who know its token more than whether it is ready. */
  async #askReady(): Promise<ReadyAnswer> {
    const headers = { ...PLAIN_BYTES, ...authorization(this.#token) };
    const signal = AbortSignal.timeout(this.#bounds.probeTimeoutMs);
    const answer = await this.#http.send(this.#paths.readyz, { method: "GET", headers }, signal);
    return { status: answer.statusCode, body: await readWords(answer) };
  }

  async #send(request: ModelRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const kind = this.#probe.kind ?? "openclaw";
    const headers = requestHeaders(request, kind, this.#token);
    const body = requestBody(request, kind);
    try {
      return await this.#http.send(this.#paths.completions, { method: "POST", headers, body }, signal);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new Failure("request_error", `OpenClaw cannot be reached${code ? ` (${code})` : ""}`, error);
    }
  }

  async #complete(
    request: ModelRequest,
    signal: AbortSignal,
    take: TakeEvents,
    onId: (id: string) => void,
  ): Promise<void> {
    const answer = await this.#send(request, signal);
    const { statusCode } = answer;
    await take([]); // the headers are a sign of life
    if (statusCode < 200 || statusCode > 299) throw await refusalOf(answer, this.#paths.completions);
    await readAnswer(bodyOf(answer), this.#bounds, take, onId);
  }

  /** The same, while the gateway tells which tools OpenClaw runs. */
  async #completeWatched(
    request: ModelRequest,
    signal: AbortSignal,
    take: TakeEvents,
    onTool: (name: string) => void,
  ): Promise<void> {
    const held = this.#gateway.hold();
    let following: { stop(): void } | undefined;
    try {
      await held.opened;
      await this.#complete(request, signal, take, (id) => (following = this.#tools.follow(id, onTool)));
    } finally {
      following?.stop();
      held.release();
    }
  }
}
