import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Kysely, sql } from "kysely";
import { Migrator } from "kysely/migration";
import { migrations } from "./migrations.ts";
import { columns, type Schema } from "./schema.ts";
import { createSqlStore } from "./sql-store.ts";
import { whileBusy } from "./sqlite-busy.ts";
import { nodeSqliteDialect } from "./sqlite-dialect.ts";
import { type Store, StoreError } from "./store.ts";

/** How long SQLite itself waits for a lock: in the foreground, so shortly. Transactions wait by whileBusy. */
const BUSY_MS = 100;

const MEMORY = ":memory:";

/**
 * Opens a store in one file, made with its folder where missing (mode 0600), or in memory for `:memory:`. Brings its schema
 * up to date. Rejects with StoreError `unavailable` that names the file: no access, no SQLite database, damaged, or written
 * by a newer version.
 */
export async function openSqliteStore(path: string): Promise<Store> {
  try {
    if (path !== MEMORY) prepareFile(path);
    // Another process may be at the very same: making the file, or bringing its schema up to date.
    return await whileBusy(() => openStore(path));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new StoreError("unavailable", `cannot open the store ${path}: ${text}`, { cause: error });
  }
}

async function openStore(path: string): Promise<Store> {
  const database = openDatabase(path);
  try {
    const db = new Kysely<Schema>({ dialect: nodeSqliteDialect(database) });
    await migrate(db);
    await checkSchema(db);
    return createSqlStore(db);
  } catch (error) {
    database.close();
    throw error;
  }
}

/** SQLite gives its side files the mode of this one. */
function prepareFile(path: string): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const isNew = !existsSync(path);
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
  if (isNew) syncFolder(folder);
}

/** Without it a power cut may take the new file's name, and every write in it. */
function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path, {
    enableForeignKeyConstraints: true,
    timeout: BUSY_MS,
    defensive: true,
  });
  try {
    database.exec("pragma journal_mode = wal");
    database.exec("pragma synchronous = full");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

async function migrate(db: Kysely<Schema>): Promise<void> {
  const steps = migrations({ key: sql`text` });
  await refuseNewerSchema(db, new Set(Object.keys(steps)));
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(steps) } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) {
    const text = error instanceof Error ? error.message : JSON.stringify(error);
    throw new Error(`its schema cannot be brought up to date: ${text}`, { cause: error });
  }
}

async function refuseNewerSchema(db: Kysely<Schema>, known: ReadonlySet<string>): Promise<void> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === "kysely_migration")) return;
  const done = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  const unknown = done.rows.find((row) => !known.has(row.name));
  if (unknown !== undefined) {
    throw new Error(`a newer version of valinor wrote it (its schema has ${unknown.name}): use that version`);
  }
}

/** The list of migrations says what was done once, not what is there now. */
async function checkSchema(db: Kysely<Schema>): Promise<void> {
  try {
    await db.selectFrom("agents").select(columns.agents).limit(0).execute();
    await db.selectFrom("configs").select(columns.configs).limit(0).execute();
    await db.selectFrom("contexts").select(columns.contexts).limit(0).execute();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new Error(`its schema is damaged: ${text}`, { cause: error });
  }
}
