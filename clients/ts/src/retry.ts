import { isTransient, type ValinorError } from "./errors.ts";

/** Longest pause for the first retry of an outage, in milliseconds; it doubles with each further one. */
const FIRST_MS = 200;
/** Longest pause of all. */
const LONGEST_MS = 5_000;

/** What a retry is about to do. */
export interface RetryNotice {
  /** The failure that it is made for. */
  readonly error: ValinorError;
  /** 1 for the first retry of an outage. */
  readonly attempt: number;
  /** Milliseconds until it is made. */
  readonly delayMs: number;
  /** The call had an answer before: a run was opened, or a first view of the agents was given. */
  readonly begun: boolean;
  /** The failure is one that may pass by itself. */
  readonly transient: boolean;
}

/** How cuts are met. */
export interface RetryOptions {
  /** Milliseconds without progress after which a call gives up with its last error; 0: at the first. */
  readonly giveUpAfterMs?: number;
  /**
   * Decides whether a retry is made; if not, the call rejects with the notice's error. It is not asked about errors that ended a
   * run. Default: `notice.transient`.
   */
  readonly shouldRetry?: (notice: RetryNotice) => boolean;
  /** Is told of every retry, before its pause; for logs, or to show that the connection is away. */
  readonly onRetry?: (notice: RetryNotice) => void;
  /** Is told that a retry was answered: the connection is back. */
  readonly onResumed?: () => void;
}

/** The outages of one call: counts its retries, and waits between them. */
export class Outages {
  readonly #giveUpAfterMs: number;
  readonly #options: RetryOptions;
  #began: number | undefined;
  #attempt = 0;
  #begun = false;
  #away = false;

  constructor(giveUpAfterMs: number, options: RetryOptions) {
    this.#giveUpAfterMs = giveUpAfterMs;
    this.#options = options;
  }

  /** The call was answered. That alone ends no outage: an answer may break again before it says anything new. */
  answered(): void {
    this.#begun = true;
    if (!this.#away) return;
    this.#away = false;
    this.#options.onResumed?.();
  }

  /** Something new came: the outage, if there was one, is over. */
  over(): void {
    this.#began = undefined;
    this.#attempt = 0;
  }

  /** Does something that may take long and is no failure: its time does not count as time without progress. */
  async uncounted<T>(wait: () => Promise<T>): Promise<T> {
    const before = performance.now();
    const result = await wait();
    if (this.#began !== undefined) this.#began += performance.now() - before;
    return result;
  }

  /**
   * Waits until the call may be made again. Rejects with the error itself if no retry is to be made or the time is over, and with
   * the signal's reason if that aborts. A pause ends early when a page hears that the network is back, unless the server asked for it.
   */
  async wait(error: ValinorError, signal: AbortSignal): Promise<void> {
    const { shouldRetry, onRetry } = this.#options;
    const now = performance.now();
    const began = (this.#began ??= now);
    const attempt = ++this.#attempt;
    const delayMs = pause(attempt, error.retryAfterMs);
    const transient = isTransient(error);
    const notice: RetryNotice = { error, attempt, delayMs, begun: this.#begun, transient };
    if (!(shouldRetry?.(notice) ?? transient)) throw error;
    if (now - began + delayMs > this.#giveUpAfterMs) throw error;
    this.#away = true;
    onRetry?.(notice);
    await sleep(delayMs, signal, error.retryAfterMs === undefined ? network() : undefined);
  }
}

/** Full jitter, so that clients that lost the same server do not come back at once; never sooner than the server says. */
function pause(attempt: number, retryAfterMs = 0): number {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1));
  return Math.max(Math.random() * longest, retryAfterMs * (1 + Math.random() / 4));
}

/** What says `online` in a page or a worker; undefined in Node. */
function network(): EventTarget | undefined {
  return typeof globalThis.addEventListener === "function" ? globalThis : undefined;
}

/** Waits; ends early if `wake` says `online`. Rejects with the signal's reason if that aborts first. */
export function sleep(ms: number, signal: AbortSignal, wake?: EventTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", settle);
      wake?.removeEventListener("online", settle);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(settle, ms);
    signal.addEventListener("abort", settle);
    wake?.addEventListener("online", settle);
    if (signal.aborted) settle();
  });
}
