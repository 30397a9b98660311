import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";
import { sqliteTypes } from "../schema/column-types.ts";
import { stepsDone } from "../schema/migrate.ts";
import type { Schema } from "../schema/schema.ts";
import { nodeSqliteDialect } from "./sqlite-dialect.ts";
import { applySettings } from "./sqlite-settings.ts";
import { syncFolder } from "./sync-folder.ts";
import { errorText } from "@valinor/protocol";

/** How long a backup or a restoration waits for a lock, milliseconds. It has a process of its own, which may stand still. */
const WAIT_MS = 5_000;

/** SQLITE_BUSY. */
const BUSY = 5;

/** Why a file was not saved or restored; the message is for people. */
export class BackupError extends Error {
  override readonly name = "BackupError";
}

/**
 * Writes what a store holds at one moment to a file (mode 0600), which must not be there yet. Others may use the store meanwhile. The
 * file is there when it is complete and on disk, or not at all. Throws BackupError.
 */
export async function backupSqlite(path: string, file: string): Promise<void> {
  if (path === ":memory:") throw new BackupError("a store in memory cannot be saved");
  if (!existsSync(path)) throw new BackupError(`there is no store ${path}`);
  if (existsSync(file)) throw new BackupError(`${file} is there already: name a new file`);
  const partial = `${resolve(file)}.partial`;
  rmSync(partial, { force: true });
  try {
    closeSync(openSync(partial, "wx", 0o600));
    copyOut(path, partial);
    await checkStore(partial);
    putInPlace(partial, file);
  } catch (error) {
    rmSync(partial, { force: true });
    throw asBackupError(error, `cannot save ${path} to ${file}`);
  }
}

/** Not page by page, which would begin again at each write of another process. */
function copyOut(path: string, file: string): void {
  const database = new DatabaseSync(path, { readOnly: true, timeout: WAIT_MS });
  try {
    applySettings(database);
    database.prepare("vacuum into ?").run(file);
  } finally {
    database.close();
  }
}

/**
 * Makes a saved file the store at `path`; the file itself stays. A store that is there is replaced only with `force`, and never while a
 * process has it open. The file is checked first: whole, and of no newer version. Throws BackupError.
 */
export async function restoreSqlite(file: string, path: string, force: boolean): Promise<void> {
  if (path === ":memory:") throw new BackupError("a store in memory cannot be restored");
  if (!existsSync(file)) throw new BackupError(`there is no ${file}`);
  if (resolve(file) === resolve(path)) throw new BackupError(`${file} is the store itself`);
  if (existsSync(`${file}-wal`) && statSync(`${file}-wal`).size > 0) {
    throw new BackupError(`${file} is a database in use, and no backup: save it with valinor db backup`);
  }
  if (existsSync(path) && !force) {
    throw new BackupError(`there is a store ${path} already: add --force to replace it`);
  }
  const copy = `${resolve(path)}.restoring`;
  try {
    copyFileSync(file, copy);
    chmodSync(copy, 0o600);
    await checkStore(copy);
    replaceStore(copy, path);
  } catch (error) {
    throw asBackupError(error, `cannot restore ${file} to ${path}`);
  } finally {
    for (const ending of ["", "-wal", "-shm"]) rmSync(`${copy}${ending}`, { force: true });
  }
}

/** Holds the old store's lock until the new one is in its place: no process can open it in between. */
function replaceStore(copy: string, path: string): void {
  const old = existsSync(path) ? lockOut(path) : undefined;
  try {
    // Of a damaged store they may be left; the new one must not be read through them.
    for (const ending of ["-wal", "-shm"]) rmSync(`${path}${ending}`, { force: true });
    putInPlace(copy, path);
  } finally {
    old?.close();
  }
}

/** Takes a store's lock and brings its log into its file. Undefined if the store is so damaged that it can't be locked. */
function lockOut(path: string): DatabaseSync | undefined {
  const database = new DatabaseSync(path, { timeout: WAIT_MS });
  try {
    applySettings(database);
    database.exec("pragma journal_mode = delete");
    database.exec("pragma locking_mode = exclusive");
    database.exec("begin exclusive");
    return database;
  } catch (error) {
    database.close();
    if (error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === BUSY) {
      throw new BackupError(`the store ${path} is in use: stop the server first`);
    }
    return undefined;
  }
}

/** Throws unless a file is a whole store that this version can open. */
async function checkStore(file: string): Promise<void> {
  const database = new DatabaseSync(file, { timeout: WAIT_MS });
  const db = new Kysely<Schema>({ dialect: nodeSqliteDialect(database) });
  try {
    applySettings(database);
    const found = database.prepare("pragma integrity_check(1)").get()?.["integrity_check"];
    if (found !== "ok") throw new BackupError(`it is damaged: ${String(found)}`);
    if ((await stepsDone(db, sqliteTypes)).length === 0)
      throw new BackupError("it is not a store of Valinor");
  } finally {
    await db.destroy();
    if (database.isOpen) database.close();
  }
}

function putInPlace(from: string, to: string): void {
  const handle = openSync(from, "r+");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(from, to);
  syncFolder(dirname(resolve(to)));
}

function asBackupError(error: unknown, what: string): BackupError {
  return new BackupError(`${what}: ${errorText(error)}`, { cause: error });
}
