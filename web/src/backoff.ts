/** Milliseconds before attempt `attempt` (0, 1, ...): full jitter below a bound that doubles from `base` to `most`. */
export function backoffMs(
  attempt: number,
  base = 250,
  most = 10_000,
  random: () => number = Math.random,
): number {
  const bound = Math.min(most, base * 2 ** Math.min(attempt, 20));
  return Math.round(bound / 2 + (random() * bound) / 2);
}

/** Waits; ends early where `wake` fires, and rejects with the signal's reason where it aborts. */
export function pause(ms: number, signal: AbortSignal, wake?: EventTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      wake?.removeEventListener("online", done);
      end();
    };
    const done = () => settle(resolve);
    const abort = () => settle(() => reject(reasonOf(signal)));
    const timer = setTimeout(done, ms);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort);
    wake?.addEventListener("online", done);
  });
}

/** Why a signal aborted, as an Error. */
export function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error("aborted");
}
