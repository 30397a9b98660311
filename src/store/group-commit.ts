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
 * Runs operations in transactions. Operations that come together share one: SQLite waits for the disk at each commit, and keeps the
 * whole program waiting. Each operation sees what those before it did, and one that fails undoes only its own.
 */
export class GroupCommit {
  readonly #db: Kysely<Schema>;
  readonly #waiting: Job[] = [];
  #isRunning = false;

  constructor(db: Kysely<Schema>) {
    this.#db = db;
  }

  /** Runs an operation; resolves once its transaction is committed. Rejects with the operation's error. */
  run<T>(operation: Operation<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        async run(trx) {
          const value = await operation(trx);
          return () => resolve(value);
        },
        fail: reject,
      });
      void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      await nextTurn(); // what else comes in this turn
      const jobs = this.#waiting.splice(0, MAX_TOGETHER);
      const isDone = jobs.length > 1 && (await this.#together(jobs));
      if (!isDone) for (const job of jobs) await this.#alone(job);
    }
    this.#isRunning = false;
  }

  async #alone(job: Job): Promise<void> {
    try {
      const tell = await this.#db.transaction().execute((trx) => job.run(trx));
      tell();
    } catch (error) {
      job.fail(error);
    }
  }

  /** False if the transaction itself failed: nothing of it is written then, and nobody was told. */
  async #together(jobs: readonly Job[]): Promise<boolean> {
    try {
      const told = await this.#db.transaction().execute(async (trx) => {
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
