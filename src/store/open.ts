import { migratePostgresStore, openPostgresStore, postgresName } from "./postgres/postgres.ts";
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
export function openStore(location: StoreLocation, onNews?: OnStoreNews): Promise<Store> {
  return location.kind === "sqlite"
    ? openSqliteStore(location.path, onNews)
    : openPostgresStore(location.url, {}, onNews);
}

/** Brings a store's schema up to date, as openStore does, and closes it. Resolves with the names of the steps it took. */
export function migrateStore(location: StoreLocation): Promise<string[]> {
  return location.kind === "sqlite" ? migrateSqliteStore(location.path) : migratePostgresStore(location.url);
}

/** Names a store for people: its path, or host and database; never a password. */
export function storeName(location: StoreLocation): string {
  return location.kind === "sqlite" ? location.path : postgresName(location.url);
}
