import { setTimeout as delay } from "node:timers/promises";
import { monotonicNow } from "../wire/clock.ts";

/** SQLITE_BUSY, the low byte of every code of its family. */
const BUSY = 5;

/** SQLITE_CONSTRAINT_UNIQUE and SQLITE_CONSTRAINT_PRIMARYKEY. */
const UNIQUE = [2067, 1555];

/** How long a writer waits for another one's transaction. */
const WAIT_MS = 5_000;

const PAUSE_MS = 5;

/**
 * Runs an operation again while another connection holds the lock it needs, for 5 s at most. SQLite's own busy timeout is off: it
 * waits in the foreground, where it would stop every link of the process.
 */
export async function whileBusy<T>(operation: () => Promise<T>): Promise<T> {
  const deadline = monotonicNow() + WAIT_MS;
  for (;;) {
    try {
      return await operation();
    } catch (error) {
      if (!isBusy(error) || monotonicNow() >= deadline) throw error;
    }
    await delay(PAUSE_MS);
  }
}

function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && (code & 0xff) === BUSY;
}

/** True where a row with the same unique key is there already. */
export function isUniqueViolation(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && UNIQUE.includes(code);
}

/** SQLite's extended code of an error, or of the error that caused it. */
function codeOf(error: unknown): number | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 4; at = at.cause, depth++)
    if ("errcode" in at && typeof at.errcode === "number") return at.errcode;
  return undefined;
}
