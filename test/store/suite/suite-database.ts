import type { Kysely } from "kysely";
import type { ColumnTypes } from "../../../src/store/schema/column-types.ts";
import type { Schema } from "../../../src/store/schema/schema.ts";
import type { Store } from "../../../src/store/store.ts";

/** Makes a database, one that no store was opened on yet if it is to be `empty`. */
export type CreateDatabase = (start?: "empty") => Promise<TestDatabase>;

/** A database of its own for one test, with no agents in it. */
export interface TestDatabase {
  readonly types: ColumnTypes;
  /** Further statements that would remove entries of the audit log, or replace the one numbered `$1`. */
  readonly emptying: readonly string[];
  /** Opens a store on the same database again each time. */
  open(): Promise<Store>;
  /** Opens the database itself, for what no store would do to it. The caller destroys it. */
  connect(): Kysely<Schema>;
  /** Removes it. */
  remove(): Promise<void>;
}

/** The database and the open store of the test that runs. */
export interface Opened {
  readonly database: TestDatabase;
  readonly store: Store;
}
