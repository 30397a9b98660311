import { setTimeout as delay } from "node:timers/promises";

/** SQLITE_BUSY, the low byte of every code of its family. */
const BUSY = 5;

/** How long a writer waits for another one's transaction. */
const WAIT_MS = 5_000;

const PAUSE_MS = 5;

/**
 * Runs an operation again while another connection holds the lock it needs, for 5 s at most. SQLite's own busy timeout waits in
 * the foreground, where it would stop every link of the process.
 */
export async function whileBusy<T>(operation: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    try {
      return await operation();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= deadline) throw error;
    }
    await delay(PAUSE_MS);
  }
}

function isBusy(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("errcode" in error && typeof error.errcode === "number") return (error.errcode & 0xff) === BUSY;
  return isBusy(error.cause);
}
