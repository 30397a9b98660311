import type { ServerResponse } from "node:http";

/** The requests that are being answered. */
export interface Flight {
  /** Counts a response until it closes. */
  track(res: ServerResponse): void;
  /** Resolves when none is in flight, after `ms`, or when the signal aborts; with whether none is. */
  idle(ms: number, signal?: AbortSignal): Promise<boolean>;
}

/** Counts the requests of a listener, whatever they speak. */
export function createFlight(): Flight {
  const waiting = new Set<() => void>();
  let count = 0;
  return {
    track(res) {
      count++;
      res.once("close", () => {
        count--;
        if (count === 0) for (const wake of waiting) wake();
      });
    },
    idle(ms, signal) {
      if (count === 0) return Promise.resolve(true);
      return new Promise((resolve) => {
        const settle = () => {
          clearTimeout(timer);
          waiting.delete(settle);
          signal?.removeEventListener("abort", settle);
          resolve(count === 0);
        };
        const timer = setTimeout(settle, ms);
        waiting.add(settle);
        signal?.addEventListener("abort", settle, { once: true });
        if (signal?.aborted === true) settle();
      });
    },
  };
}
