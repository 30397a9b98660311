import type { DatabaseSync } from "node:sqlite";
import { BUSY_MS } from "./sqlite-errors.ts";

/** Between attempts, and how many: others who read the database at that moment are in the way. */
const PAUSE_MS = 250;
const ATTEMPTS = 240;

/** Removes from the write-ahead log what was deleted from the database. */
export interface Wiper {
  /** Empties the log soon; it keeps trying for a minute where another connection is in the way. The next call tries again. */
  wipe(): void;
  /** Tries no more. */
  stop(): void;
}

/** A wiper for a database that is open. The log of the last connection goes when that one closes. */
export function createWiper(database: DatabaseSync): Wiper {
  let timer: NodeJS.Timeout | undefined;

  function attempt(left: number): void {
    timer = undefined;
    if (isEmptied(database) || left === 0) return;
    timer = setTimeout(attempt, PAUSE_MS, left - 1);
    timer.unref();
  }

  function stop(): void {
    clearTimeout(timer);
    timer = undefined;
  }

  return {
    wipe() {
      stop();
      // Behind what else waits for this tick, so that a deletion of many makes it once.
      timer = setTimeout(attempt, 0, ATTEMPTS);
    },
    stop,
  };
}

/** Brings the log's content into the database and the log's length to 0. False where that must wait. */
function isEmptied(database: DatabaseSync): boolean {
  if (!database.isOpen) return true;
  if (database.isTransaction) return false;
  try {
    // It would wait for readers in the foreground, time after time.
    database.exec("pragma busy_timeout = 0");
    return database.prepare("pragma wal_checkpoint(truncate)").get()?.["busy"] === 0;
  } catch {
    // Whatever it is (a full disk, a lock), the deletion itself is done.
    return false;
  } finally {
    database.exec(`pragma busy_timeout = ${BUSY_MS}`);
  }
}
