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

/**
 * A wiper for an open database of this file; it begins with what a process before left. What keeps it from wiping is told as a trouble
 * with `wipe`, and it tries again until it is closed.
 */
export function createWiper(database: DatabaseSync, path: string, troubles: Troubles): Wiper {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<Outcome> | undefined;
  let isClosed = false;
  let earliest = 0;
  let failures = 0;

  function schedule(ms: number): void {
    if (isClosed || timer !== undefined || running !== undefined) return;
    timer = setTimeout(() => void attempt(), Math.max(ms, earliest - monotonicNow()));
    timer.unref();
  }

  async function attempt(): Promise<void> {
    timer = undefined;
    const began = monotonicNow();
    running = runWorker(path);
    const outcome = await running;
    running = undefined;
    earliest = monotonicNow() + REST * (monotonicNow() - began);
    note(outcome);
    if (!outcome.isDone) schedule(failures < ATTEMPTS ? RETRY_MS : LATER_MS);
  }

  function note({ isDone, reason, isError }: Outcome): void {
    failures = isDone ? 0 : failures + 1;
    if (isDone) troubles.worked("wipe");
    else if (isError || failures >= TOLD_AFTER)
      troubles.failed(
        "wipe",
        `what was deleted is still in the files of ${path}: ${reason}; it is tried again`,
      );
  }

  function wipe(): void {
    failures = 0;
    schedule(SOON_MS);
  }

  if (isLeft(database)) wipe();
  return {
    wipe,
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await running;
      if (isLeft(database)) note(await runWorker(path));
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

/** How a run ended. */
interface Outcome {
  /** Nothing is left. */
  readonly isDone: boolean;
  /** Why something is. */
  readonly reason: string;
  /** True where no other process was in the way, but something went wrong. */
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
