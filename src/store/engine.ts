import type { Kysely, Transaction } from "kysely";
import type { Schema } from "./schema/schema.ts";
import type { StoreTrouble, Troubles } from "./troubles.ts";

/** A database that the store runs on: what differs from one to the other while it runs. */
export interface Engine {
  /** For messages: where it is, without any secret. */
  readonly name: string;
  readonly db: Kysely<Schema>;
  /** Told of what fails, and of what works again. */
  readonly troubles: Troubles;
  /** What an error of the database means, if that is known. */
  troubleOf(error: unknown): StoreTrouble | undefined;
  /** Runs an operation in a transaction; resolves once that is on disk. What fails leaves nothing. */
  transaction<T>(operation: (trx: Transaction<Schema>) => Promise<T>): Promise<T>;
  /**
   * True if a transaction that failed like this may succeed when it is run again from its start: it collided with another one. A unique key that
   * is taken counts, too: the second run reads what is there, and says what is taken.
   */
  mayRetry(error: unknown): boolean;
  /** Runs a reading operation, and again if another one was in its way. */
  read<T>(operation: () => Promise<T>): Promise<T>;
  /** Notes in a deletion's transaction that something is to be wiped from the disk. */
  beforeDeleted(trx: Transaction<Schema>): Promise<void>;
  /** Told after such a transaction. Must not throw. */
  deleted(): void;
  /** Closes it; nothing is under way any more. */
  close(): Promise<void>;
}
