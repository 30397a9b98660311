/** Resolves when the time is over or when the signal aborts, whichever is first. Never rejects. */
export function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  return waitAtMost(new Promise(() => {}), ms, signal);
}

/**
 * Resolves when the promise does, when the time is over or when the signal aborts, whichever is first. Never rejects. The
 * promise keeps the memory of the wait until it is settled: not for one that outlives many waits.
 */
export function waitAtMost(promise: Promise<unknown>, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", settle);
      resolve();
    };
    const timer = setTimeout(settle, ms);
    if (signal.aborted) return settle();
    signal.addEventListener("abort", settle, { once: true });
    promise.then(settle, settle);
  });
}
