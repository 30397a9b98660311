import { extname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import { type Kysely, sql } from "kysely";
import type { Schema } from "../schema/schema.ts";
import { isBusy } from "./sqlite-errors.ts";
import type { Troubles } from "../troubles.ts";
import { monotonicNow, errorText } from "@valinor/protocol";

/** From a deletion to the wiping: many at once are wiped at once. */
const SOON_MS = 200;

/** Pause after a run that failed, and after many that did: whatever is in the way then stays for a while. */
const RETRY_MS = 1_000;
const LATER_MS = 60_000;
const ATTEMPTS = 60;

/** Others are in the way of a run now and then; so many runs in a row are told. Everything else is told at once. */
const TOLD_AFTER = 10;

/** A run is followed by a pause so many times as long: writers wait while a run is under way. */
const REST = 20;

/** Notes a deletion, in its transaction. */
export async function countDeletion(trx: Kysely<Schema>): Promise<void> {
  const { rows } = await sql<{ user_version: number }>`pragma user_version`.execute(trx);
  const deletions = ((rows[0]?.user_version ?? 0) % 0x7fffffff) + 1;
  await sql`pragma user_version = ${sql.lit(deletions)}`.execute(trx);
}

/**
 * Removes from a database's files what was deleted. SQLite overwrites deleted rows (`secure_delete`), but leaves copies of rows
 * that it once moved from one page to another, and the log keeps old pages. So the database is rebuilt and the log emptied, in
 * another thread. The database itself counts deletions since then (`user_version`), so that a crash loses none.
 */
export class Wiper {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #troubles: Troubles;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<Outcome> | undefined;
  #isClosed = false;
  /** When the next run may begin. */
  #earliest = 0;
  #failures = 0;

  /**
   * For an open database of this file; begins with what a process before left. What keeps it from wiping is told as a trouble with
   * `wipe`, and it tries again until it is closed.
   */
  constructor(database: DatabaseSync, path: string, troubles: Troubles) {
    this.#database = database;
    this.#path = path;
    this.#troubles = troubles;
    if (isLeft(database)) this.wipe();
  }

  /** Runs soon. */
  wipe(): void {
    this.#failures = 0;
    this.#schedule(SOON_MS);
  }

  /** Runs once more if something is left to be wiped, and resolves when it is done. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
    if (isLeft(this.#database)) this.#note(await runWorker(this.#path));
  }

  #schedule(ms: number): void {
    if (this.#isClosed || this.#timer !== undefined || this.#running !== undefined) return;
    this.#timer = setTimeout(() => void this.#attempt(), Math.max(ms, this.#earliest - monotonicNow()));
    this.#timer.unref();
  }

  async #attempt(): Promise<void> {
    this.#timer = undefined;
    const began = monotonicNow();
    this.#running = runWorker(this.#path);
    const outcome = await this.#running;
    this.#running = undefined;
    this.#earliest = monotonicNow() + REST * (monotonicNow() - began);
    this.#note(outcome);
    if (!outcome.isDone) this.#schedule(this.#failures < ATTEMPTS ? RETRY_MS : LATER_MS);
  }

  #note({ isDone, reason, isError }: Outcome): void {
    this.#failures = isDone ? 0 : this.#failures + 1;
    if (isDone) this.#troubles.worked("wipe");
    else if (isError || this.#failures >= TOLD_AFTER)
      this.#troubles.failed(
        "wipe",
        `what was deleted is still in the files of ${this.#path}: ${reason}; it is tried again`,
      );
  }
}

function isLeft(database: DatabaseSync): boolean {
  try {
    return database.prepare("pragma user_version").get()?.["user_version"] !== 0;
  } catch {
    return true; // the attempt to wipe says what is wrong
  }
}

/** How a run ended. */
interface Outcome {
  /** Nothing is left. */
  readonly isDone: boolean;
  /** Why something is. */
  readonly reason: string;
  /** True if no other process was in the way, but something went wrong. */
  readonly isError: boolean;
}

/** Whatever goes wrong (a full disk, a lock), the deletion itself is done. Never rejects. */
function runWorker(path: string): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  // The ending is that of the program as it runs: source, or compiled.
  const file = new URL(`./sqlite-wipe-worker${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(file, { workerData: path });
  let reason = "the thread that wipes ended early";
  let isError = true;
  worker.once("message", (text: unknown) => {
    reason = String(text);
    isError = false;
  });
  worker.on("error", (error) => {
    reason = errorText(error);
    isError = !isBusy(error);
  });
  worker.once("exit", (code) => resolve({ isDone: code === 0, reason, isError }));
  return promise;
}
