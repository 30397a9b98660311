import { monotonicNow } from "@valinor/protocol";
/** Signals that come within this time are one wish: Ctrl-C reaches the whole process group, and npm forwards it as well. */
const SAME_WISH_MS = 1000;
const PARENT_POLL_MS = 500;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The wishes of whoever stops a server. */
export interface StopWishes {
  /** Resolves with SIGINT or SIGTERM. */
  readonly stop: Promise<void>;
  /** Aborts with the next one, a second or more later: what is left is to end now. */
  readonly hurry: AbortSignal;
}

/** Waits for SIGINT and SIGTERM: one to stop, one to hurry, and a further one ends the process at once with exit code 1. */
export function stopWishes(): StopWishes {
  const { promise, resolve } = Promise.withResolvers<void>();
  const hurry = new AbortController();
  let wishes = 0;
  let lastAt = -Infinity;
  const onSignal = (): void => {
    const now = monotonicNow();
    if (now - lastAt < SAME_WISH_MS) return;
    lastAt = now;
    if (++wishes > 2) process.exit(1);
    if (wishes === 2) hurry.abort();
    resolve();
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  return { stop: promise, hurry: hurry.signal };
}

/**
 * Waits for SIGINT, SIGTERM or SIGHUP. A further signal, a second or more after the first, ends the process at once with exit
 * code 1.
 */
export function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    const onSignal = (): void => {
      firstAt ??= monotonicNow();
      if (monotonicNow() - firstAt > SAME_WISH_MS) process.exit(1);
      resolve();
    };
    for (const signal of SIGNALS) process.on(signal, onSignal);
  });
}

/**
 * Waits until this process's parent has ended. npm runs a script in a shell and passes signals to that shell, which on many
 * systems dies without passing them on: for `npm start` this is then the only news of a signal. Stops to wait, without
 * keeping the process, on `signal`.
 */
export function untilOrphaned(signal: AbortSignal): Promise<void> {
  const parent = process.ppid;
  return new Promise((resolve) => {
    const poll = setInterval(() => process.ppid !== parent && resolve(), PARENT_POLL_MS).unref();
    signal.addEventListener("abort", () => clearInterval(poll), { once: true });
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
