import type { Dispatcher, Pool } from "undici";
import type { Bounds } from "../bounds.ts";
import { Failure } from "../failure.ts";
import { readStream, readText, readWhole, type TakeEvents } from "./answer.ts";
import { describeBody } from "./describe.ts";
import { type ServerState, createProbe } from "./probe.ts";
import { type ModelRequest, requestBody, requestHeaders } from "./request.ts";

/** The OpenClaw beside the agent, or any server of OpenAI's chat completions. */
export interface OpenClaw {
  /**
   * Runs a request and hands on its events, the last one `finish`. Resolves after that. Rejects with Failure; the signal
   * drops the call at once, which ends the model's work too.
   */
  run(request: ModelRequest, signal: AbortSignal, take: TakeEvents): Promise<void>;
  readonly state: ServerState;
  /** Begins to probe. */
  start(): void;
  /** Stops probing and drops what is under way. */
  close(): Promise<void>;
}

/** Where OpenClaw is and how to talk to it. */
export interface OpenClawOptions {
  /** http or https, with or without a path before `/v1`. */
  readonly url: string;
  readonly token: string | undefined;
  readonly bounds: Bounds;
  onState(state: ServerState): void;
}

/** Largest body of a failed answer that is looked at. */
const ERROR_BODY_BYTES = 64 * 1024;

/** Makes a client. The HTTP library is loaded with the first request, not when the agent starts. */
export function createOpenClaw(options: OpenClawOptions): OpenClaw {
  const { bounds, token } = options;
  const url = new URL(options.url);
  const base = url.pathname.replace(/\/+$/, "");
  const closing = new AbortController();
  let pool: Promise<Pool> | undefined;

  /** No time limit of the pool's own but the one on connecting: the run's clock bounds the rest. */
  async function openPool(): Promise<Pool> {
    const { Pool } = await import("undici");
    return new Pool(url.origin, {
      bodyTimeout: 0,
      headersTimeout: 0,
      connect: { timeout: bounds.connectMs },
    });
  }

  async function call(
    path: string,
    request: Omit<Dispatcher.RequestOptions, "path" | "signal">,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const opened = await (pool ??= openPool());
    return opened.request({
      ...request,
      path: base + path,
      signal: AbortSignal.any([signal, closing.signal]),
    });
  }

  async function askReady(): Promise<number> {
    const answer = await call("/readyz", { method: "GET" }, AbortSignal.timeout(bounds.probeTimeoutMs));
    void answer.body.dump().catch(() => {});
    return answer.statusCode;
  }

  const probe = createProbe(bounds, askReady, (state) => options.onState(state));

  async function send(request: ModelRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    await probe.ready();
    const headers = requestHeaders(request, probe.kind, token);
    const body = requestBody(request, probe.kind);
    try {
      return await call("/v1/chat/completions", { method: "POST", headers, body }, signal);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new Failure("request_error", `OpenClaw cannot be reached${code ? ` (${code})` : ""}`, error);
    }
  }

  async function run(request: ModelRequest, signal: AbortSignal, take: TakeEvents): Promise<void> {
    const { statusCode, headers, body } = await send(request, signal);
    body.on("error", () => {}); // told by the reading below; an abort after it is nobody's news
    await take([]); // the headers are a sign of life
    if (statusCode !== 200) {
      const said = await readText(body, ERROR_BODY_BYTES).catch(() => "");
      throw new Failure("openclaw_error", `OpenClaw answered ${statusCode}${describeBody(said)}`);
    }
    const streamed = String(headers["content-type"]).toLowerCase().startsWith("text/event-stream");
    if (streamed) return readStream(body, bounds, take);
    await take(await readWhole(body, bounds));
  }

  return {
    async run(request, signal, take) {
      try {
        await run(request, signal, take);
      } catch (error) {
        if (!signal.aborted) probe.hurry();
        throw error;
      }
    },
    get state() {
      return probe.state;
    },
    start: () => probe.hurry(),
    async close() {
      probe.close();
      closing.abort();
      const opened = await pool?.catch(() => undefined);
      await opened?.destroy();
    },
  };
}
