import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits until `probe` answers something true-like and returns that; for what no event tells, such as another process's end.
 * A rejection counts as not yet. Rejects after `ms` (default 10 s) with the last rejection as cause.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  ms = 10_000,
): Promise<NonNullable<T>> {
  let cause: unknown;
  for (const deadline = performance.now() + ms; performance.now() < deadline;) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      cause = error;
    }
    await sleep(20);
  }
  throw new Error(`${what}: not within ${ms} ms`, { cause });
}
