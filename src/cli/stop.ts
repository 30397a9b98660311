/** Signals that come within this time are one wish: Ctrl-C reaches the whole process group, and npm forwards it as well. */
const SAME_WISH_MS = 1000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Waits for SIGINT, SIGTERM or SIGHUP; an abort of `early` ends the wait as well. A further signal, a second or more after
 * the first, ends the process at once with exit code 1.
 */
export function untilStopped(early?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    const onSignal = (): void => {
      firstAt ??= performance.now();
      if (performance.now() - firstAt > SAME_WISH_MS) process.exit(1);
      resolve();
    };
    for (const signal of SIGNALS) process.on(signal, onSignal);
    early?.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Waits for `work`, but no longer than `ms`. Returns whether it was done in time; rejects as `work` does. */
export async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
