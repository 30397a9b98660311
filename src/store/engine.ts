import type { Kysely } from "kysely";
import type { Schema } from "./schema.ts";

/** A database that the store runs on: what differs from one to the other while it runs. */
export interface Engine {
  /** For messages: where it is, without any secret. */
  readonly name: string;
  readonly db: Kysely<Schema>;
  /**
   * True where a transaction that failed so may succeed when it is run again from its start: it met another one. A unique key that
   * is taken counts, too: the second run reads what is there, and says what is taken.
   */
  mayRetry(error: unknown): boolean;
  /** Told after each deletion, so that what was deleted can be wiped. Must not throw. */
  deleted(): void;
  /** Closes it; nothing is under way any more. */
  close(): Promise<void>;
}
