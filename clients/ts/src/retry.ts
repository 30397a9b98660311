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
}

/** How cuts are met. */
export interface RetryOptions {
  /** Milliseconds without progress after which a call gives up with its last error; 0: at the first. */
  readonly giveUpAfterMs?: number;
  /** Is told of every retry; for logs, or to show that the connection is away. */
  readonly onRetry?: (notice: RetryNotice) => void;
}

/** The outages of one call. */
export interface Outages {
  /** Something new came: the outage, if there was one, is over. */
  over(): void;
  /**
   * Waits until the call may be made again. Rejects with the error itself where no retry can help or the time is over, and
   * with the signal's reason where that aborts.
   */
  wait(error: ValinorError, signal: AbortSignal): Promise<void>;
}

/** Counts the retries of one call. */
export function createOutages(giveUpAfterMs: number, onRetry: RetryOptions["onRetry"]): Outages {
  let began: number | undefined;
  let attempt = 0;
  return {
    over() {
      began = undefined;
      attempt = 0;
    },
    async wait(error, signal) {
      if (!isTransient(error)) throw error;
      const now = performance.now();
      began ??= now;
      attempt++;
      const delayMs = pause(attempt, error.retryAfterMs);
      if (now - began + delayMs > giveUpAfterMs) throw error;
      onRetry?.({ error, attempt, delayMs });
      await sleep(delayMs, signal);
    },
  };
}

/** Full jitter, so that clients that lost the same server do not come back at once; never sooner than the server says. */
function pause(attempt: number, retryAfterMs = 0): number {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1));
  return Math.max(Math.random() * longest, retryAfterMs * (1 + Math.random() / 4));
}

/** Waits; rejects with the signal's reason where that aborts first. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", settle);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(settle, ms);
    signal.addEventListener("abort", settle);
    if (signal.aborted) settle();
  });
}
