import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { monotonicNow } from "@valinor/protocol";

/** SQLITE_BUSY, the low byte of every code of its family. */
const BUSY = 5;

/** SQLITE_IOERR, SQLITE_FULL and SQLITE_CANTOPEN, low bytes as well. */
const IOERR = 10;
const FULL = 13;
const CANTOPEN = 14;

/** A disk with less room than this takes no write, bytes: the index of the log grows by half of it. */
const NO_ROOM = 64 * 1024;

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

/** True if another connection held the lock that an operation needs. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && (code & 0xff) === BUSY;
}

/** True if a row with the same unique key is there already. */
export function isUniqueViolation(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && UNIQUE.includes(code);
}

/**
 * True if there was no room for what was to be written in the file at `path`. SQLite says that itself most of the time; if it only
 * could not write, sync or open a file of its own, the disk is asked.
 */
export function isDiskFull(error: unknown, path: string): boolean {
  const family = (codeOf(error) ?? 0) & 0xff;
  if (family === FULL) return true;
  return (family === IOERR || family === CANTOPEN) && hasNoRoom(path);
}

function hasNoRoom(path: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize < NO_ROOM;
  } catch {
    return false; // the folder is gone, which is another trouble
  }
}

/** SQLite's extended code of an error, or of the error that caused it. */
function codeOf(error: unknown): number | undefined {
  for (
    let cause: unknown = error, depth = 0;
    cause instanceof Error && depth < 4;
    cause = cause.cause, depth++
  )
    if ("errcode" in cause && typeof cause.errcode === "number") return cause.errcode;
  return undefined;
}
