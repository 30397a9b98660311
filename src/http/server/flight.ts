import type { EventEmitter } from "node:events";

/** The requests that are being answered. */
export interface Flight {
  /** Counts a response, or a stream of HTTP/2, until it closes. */
  track(res: EventEmitter): void;
  /** Counts one more; `leave` is to be called when it closes. */
  enter(): void;
  leave(): void;
  /**
   * Resolves when none has been in flight for `quietMs` (none at once: 0), after `ms`, or when the signal aborts; with whether none is in
   * flight.
   */
  idle(ms: number, quietMs: number, signal?: AbortSignal): Promise<boolean>;
}

/** Counts the requests of a listener, whatever they speak. */
export function createFlight(): Flight {
  const waiting = new Set<() => void>();
  let count = 0;
  const tell = () => {
    for (const look of waiting) look();
  };
  function enter(): void {
    if (++count === 1) tell();
  }
  function leave(): void {
    if (--count === 0) tell();
  }
  return {
    enter,
    leave,
    track(res) {
      enter();
      res.once("close", leave);
    },
    idle(ms, quietMs, signal) {
      return new Promise((resolve) => {
        let quiet: NodeJS.Timeout | undefined;
        const settle = () => {
          clearTimeout(timer);
          clearTimeout(quiet);
          waiting.delete(look);
          signal?.removeEventListener("abort", settle);
          resolve(count === 0);
        };
        const look = () => {
          clearTimeout(quiet);
          if (count > 0) return;
          if (quietMs === 0) settle();
          else quiet = setTimeout(settle, quietMs);
        };
        const timer = setTimeout(settle, ms);
        waiting.add(look);
        signal?.addEventListener("abort", settle, { once: true });
        if (signal?.aborted === true) settle();
        else look();
      });
    },
  };
}
