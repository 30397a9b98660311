import { migrateSqliteStore, openSqliteStore } from "./sqlite/sqlite.ts";
import type { Store } from "./store.ts";
import type { OnStoreNews } from "./troubles.ts";

/** Where a store is. */
export type StoreLocation =
  | {
      readonly kind: "sqlite";
      /** A file, or `:memory:`. */
      readonly path: string;
    }
  /** The URL may have a password in it: it is in no message. */
  | { readonly kind: "postgres"; readonly url: string };

/**
 * Opens a store, and brings its schema up to date. Rejects with StoreError `unavailable` that says which store it is. `onNews` is told
 * what fails later, and works again.
 */
export async function openStore(location: StoreLocation, onNews?: OnStoreNews): Promise<Store> {
  if (location.kind === "sqlite") return openSqliteStore(location.path, onNews);
  const { openPostgresStore } = await postgres();
  return openPostgresStore(location.url, {}, onNews);
}

/** Brings a store's schema up to date, as openStore does, and closes it. Resolves with the names of the steps it took. */
export async function migrateStore(location: StoreLocation): Promise<string[]> {
  if (location.kind === "sqlite") return migrateSqliteStore(location.path);
  const { migratePostgresStore } = await postgres();
  return migratePostgresStore(location.url);
}

/** Names a store for people: its path, or host and database; never a password. Rejects with StoreError if the URL can't be read. */
export async function storeName(location: StoreLocation): Promise<string> {
  return location.kind === "sqlite" ? location.path : (await postgres()).postgresName(location.url);
}

/** PostgreSQL's driver is loaded by those alone who use it. */
function postgres(): Promise<typeof import("./postgres/postgres.ts")> {
  return import("./postgres/postgres.ts");
}
