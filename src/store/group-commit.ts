import { setImmediate as nextTurn } from "node:timers/promises";
import { type Kysely, sql, type Transaction } from "kysely";
import type { Schema } from "./schema/schema.ts";

/** Something to be done in a transaction; it may be run again from its start. */
type Operation<T> = (trx: Transaction<Schema>) => Promise<T>;

interface Job {
  /** Runs it; the answer tells whoever waits, once that is on disk. Rejects with the operation's error. */
  run(trx: Transaction<Schema>): Promise<() => void>;
  fail(error: unknown): void;
}

/** Most operations of one transaction: reading waits for its end. */
const MAX_TOGETHER = 32;

/**
 * Makes what runs operations in transactions. Operations that come together share one: SQLite waits for the disk at each commit, and keeps the
 * whole program waiting. Each operation sees what those before it did, and one that fails undoes only its own. It resolves once the
 * transaction is committed.
 */
export function createGroupCommit(db: Kysely<Schema>): <T>(operation: Operation<T>) => Promise<T> {
  const waiting: Job[] = [];
  let isRunning = false;

  async function drain(): Promise<void> {
    if (isRunning) return;
    isRunning = true;
    while (waiting.length > 0) {
      await nextTurn(); // what else comes in this turn
      const jobs = waiting.splice(0, MAX_TOGETHER);
      const isDone = jobs.length > 1 && (await together(jobs));
      if (!isDone) for (const job of jobs) await alone(job);
    }
    isRunning = false;
  }

  async function alone(job: Job): Promise<void> {
    try {
      const tell = await db.transaction().execute((trx) => job.run(trx));
      tell();
    } catch (error) {
      job.fail(error);
    }
  }

  /** False if the transaction itself failed: nothing of it is written then, and nobody was told. */
  async function together(jobs: readonly Job[]): Promise<boolean> {
    try {
      const told = await db.transaction().execute(async (trx) => {
        const tells: (() => void)[] = [];
        for (const job of jobs) tells.push(await inSavepoint(trx, job));
        return tells;
      });
      for (const tell of told) tell();
      return true;
    } catch {
      // Each job runs again by itself, and hears what is wrong then.
      return false;
    }
  }

  return <T>(operation: Operation<T>) =>
    new Promise<T>((resolve, reject) => {
      waiting.push({
        async run(trx) {
          const value = await operation(trx);
          return () => resolve(value);
        },
        fail: reject,
      });
      void drain();
    });
}

async function inSavepoint(trx: Transaction<Schema>, job: Job): Promise<() => void> {
  await sql`savepoint job`.execute(trx);
  try {
    const tell = await job.run(trx);
    await sql`release job`.execute(trx);
    return tell;
  } catch (error) {
    // If SQLite has rolled back everything already this fails, and so does the transaction.
    await sql`rollback to job`.execute(trx);
    await sql`release job`.execute(trx);
    return () => job.fail(error);
  }
}
