import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";
import { sqliteTypes } from "../schema/column-types.ts";
import type { Engine } from "../engine.ts";
import { GroupCommit } from "../group-commit.ts";
import { migrate } from "../schema/migrate.ts";
import type { Schema } from "../schema/schema.ts";
import { createSqlStore } from "../sql-store.ts";
import { isDiskFull, isUniqueViolation, whileBusy } from "./sqlite-errors.ts";
import { type FileWatch, watchFiles } from "./sqlite-file.ts";
import { applySettings } from "./sqlite-settings.ts";
import { nodeSqliteDialect } from "./sqlite-dialect.ts";
import { countDeletion, Wiper } from "./sqlite-wipe.ts";
import { type Store, StoreError } from "../store.ts";
import { syncFolder } from "./sync-folder.ts";
import { createTroubles, type OnStoreNews, type Troubles } from "../troubles.ts";
import { errorText } from "@valinor/protocol";

const MEMORY = ":memory:";

/**
 * Opens a store in one file, which is made with its folder if it is missing (mode 0600), or in memory for `:memory:`. Brings its schema
 * up to date. Rejects with StoreError `unavailable` that names the file: no access, no SQLite database, damaged, or written
 * by a newer version.
 */
export async function openSqliteStore(path: string, onNews?: OnStoreNews): Promise<Store> {
  return createSqlStore((await open(path, createTroubles(onNews))).engine);
}

/** Brings the schema of a store's file up to date, as openSqliteStore does. Resolves with the names of the steps it took. */
export async function migrateSqliteStore(path: string): Promise<string[]> {
  const { engine, steps } = await open(path, createTroubles(undefined));
  await engine.close();
  return steps;
}

async function open(path: string, troubles: Troubles): Promise<{ engine: Engine; steps: string[] }> {
  try {
    if (path !== MEMORY) prepareFile(path);
    // Another process may be at the very same: making the file, or bringing its schema up to date.
    return await whileBusy(() => openEngine(path, troubles));
  } catch (error) {
    const trouble = isDiskFull(error, path) ? "full" : undefined;
    throw new StoreError("unavailable", `cannot open the store ${path}: ${errorText(error)}`, {
      cause: error,
      trouble,
    });
  }
}

async function openEngine(path: string, troubles: Troubles): Promise<{ engine: Engine; steps: string[] }> {
  const database = openDatabase(path);
  try {
    const db = new Kysely<Schema>({ dialect: nodeSqliteDialect(database) });
    const steps = await migrate(db, sqliteTypes);
    // Versions before 0002 did not wipe what was deleted.
    if (steps.length > 0 && !steps.includes("0001_agents")) await countDeletion(db);
    const files = path === MEMORY ? undefined : watchFiles(path, troubles);
    const commits = new GroupCommit(db);
    const wiper = path === MEMORY ? undefined : new Wiper(database, path, troubles);
    const engine: Engine = {
      name: path,
      db,
      troubles,
      troubleOf: (error) => (isDiskFull(error, path) ? "full" : undefined),
      transaction: inIntactFiles(files, (operation) => commits.run(operation)),
      mayRetry: isUniqueViolation,
      read: whileBusy,
      beforeDeleted: countDeletion,
      deleted: () => wiper?.wipe(),
      async close() {
        files?.close();
        await wiper?.close();
        await db.destroy();
      },
    };
    return { engine, steps };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Before, so that nothing goes into files that are gone; and after, so that nothing is acknowledged that went there. */
function inIntactFiles(
  files: FileWatch | undefined,
  transaction: Engine["transaction"],
): Engine["transaction"] {
  if (files === undefined) return transaction;
  return async (operation) => {
    files.check();
    const result = await transaction(operation);
    files.check();
    return result;
  };
}

/** SQLite gives its side files the mode of this one. */
function prepareFile(path: string): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const isNew = !existsSync(path);
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
  // Without it a power cut may take the new file's name, and every write in it.
  if (isNew) syncFolder(folder);
}

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path, {
    enableForeignKeyConstraints: true,
    // whileBusy waits instead.
    timeout: 0,
    defensive: true,
  });
  try {
    database.exec("pragma journal_mode = wal");
    applySettings(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
