import { extname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import { type Kysely, sql } from "kysely";
import type { Schema } from "./schema.ts";
import { monotonicNow } from "../wire/clock.ts";

/** From a deletion to the wiping: many at once are wiped at once. */
const SOON_MS = 200;

/** Pause after a run that others were in the way of, and how many such runs there are before the next deletion. */
const RETRY_MS = 1_000;
const ATTEMPTS = 60;

/** A run is followed by a pause so many times as long: writers wait while a run is under way. */
const REST = 20;

/**
 * Removes from a database's files what was deleted. SQLite overwrites deleted rows (`secure_delete`), but leaves copies of rows
 * that it once moved from one page to another, and the log keeps old pages. So the database is rebuilt and the log emptied, in
 * another thread. The database itself counts deletions since then (`user_version`), so that a crash loses none.
 */
export interface Wiper {
  /** Runs soon. */
  wipe(): void;
  /** Runs once more where something is left to be wiped, and resolves when it is done. Never rejects. */
  close(): Promise<void>;
}

/** Notes a deletion, in its transaction. */
export async function countDeletion(trx: Kysely<Schema>): Promise<void> {
  const { rows } = await sql<{ user_version: number }>`pragma user_version`.execute(trx);
  const deletions = ((rows[0]?.user_version ?? 0) % 0x7fffffff) + 1;
  await sql`pragma user_version = ${sql.lit(deletions)}`.execute(trx);
}

/** A wiper for an open database of this file; it begins with what a process before left. */
export function createWiper(database: DatabaseSync, path: string): Wiper {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<boolean> | undefined;
  let isClosed = false;
  let earliest = 0;
  let attemptsLeft = 0;

  function schedule(ms: number): void {
    if (isClosed || timer !== undefined || running !== undefined) return;
    timer = setTimeout(() => void attempt(), Math.max(ms, earliest - monotonicNow()));
    timer.unref();
  }

  async function attempt(): Promise<void> {
    timer = undefined;
    const began = monotonicNow();
    running = runWorker(path);
    const isDone = await running;
    running = undefined;
    earliest = monotonicNow() + REST * (monotonicNow() - began);
    if (!isDone && attemptsLeft-- > 0) schedule(RETRY_MS);
  }

  function wipe(): void {
    attemptsLeft = ATTEMPTS;
    schedule(SOON_MS);
  }

  if (isLeft(database)) wipe();
  return {
    wipe,
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await running;
      if (isLeft(database)) await runWorker(path);
    },
  };
}

function isLeft(database: DatabaseSync): boolean {
  try {
    return database.prepare("pragma user_version").get()?.["user_version"] !== 0;
  } catch {
    return true;
  }
}

/** Whatever goes wrong (a full disk, a lock), the deletion itself is done: false, and it is tried again. */
function runWorker(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  // The ending is that of the program as it runs: source, or compiled.
  const file = new URL(`./sqlite-wipe-worker${extname(import.meta.url)}`, import.meta.url);
  const worker = new Worker(file, { workerData: path });
  // The exit tells it as well.
  worker.on("error", () => undefined);
  worker.once("exit", (code) => resolve(code === 0));
  return promise;
}
