import {
  migrateStore,
  storeName,
  type StoreLocation,
  backupSqlite,
  BackupError,
  restoreSqlite,
  StoreError,
} from "@valinor/server";
import type { Environment } from "../terminal/environment.ts";
import { CliError } from "../terminal/errors.ts";
import { readConfig } from "./read-config.ts";

/** Flags that every `valinor db` command has. */
export interface DbOptions {
  /** The server's configuration file: it names the store. */
  readonly config?: string;
}

/** Flags of `valinor db restore`. */
export interface DbRestoreOptions extends DbOptions {
  /** Replaces a store that is there. */
  readonly force?: boolean;
}

/**
 * Brings the schema of the configured store up to date, and says what was done. `valinor serve` does the same when it starts.
 * Rejects with CliError.
 */
export async function dbMigrate(options: DbOptions, env: Environment): Promise<void> {
  const location = locationOf(options, env);
  const steps = await orCliError(() => migrateStore(location));
  const name = await storeName(location);
  process.stdout.write(
    steps.length === 0
      ? `${name} is up to date\n`
      : `${name}: did ${steps.join(", ")}; it is up to date now\n`,
  );
}

/** Saves the configured SQLite store to a new file, while servers use it. Rejects with CliError, for PostgreSQL with the command. */
export async function dbBackup(file: string, options: DbOptions, env: Environment): Promise<void> {
  const location = locationOf(options, env);
  if (location.kind === "postgres") {
    throw otherTool(`pg_dump --format=custom --file=${quoted(file)} ${quoted(await storeName(location))}`);
  }
  await orCliError(() => backupSqlite(location.path, file));
  process.stdout.write(`saved ${location.path} to ${file}\n`);
}

/**
 * Makes a saved file the configured SQLite store, which no process may have open. Rejects with CliError, for PostgreSQL with the
 * command.
 */
export async function dbRestore(file: string, options: DbRestoreOptions, env: Environment): Promise<void> {
  const location = locationOf(options, env);
  if (location.kind === "postgres") {
    const how = "--clean --if-exists --no-owner --single-transaction";
    throw otherTool(`pg_restore ${how} --dbname=${quoted(await storeName(location))} ${quoted(file)}`);
  }
  await orCliError(() => restoreSqlite(file, location.path, options.force === true));
  process.stdout.write(`restored ${location.path} from ${file}\n`);
}

function locationOf({ config: file }: DbOptions, env: Environment): StoreLocation {
  return readConfig({ file, env: { ...env }, mode: "serve" }).store;
}

function otherTool(command: string): CliError {
  return new CliError(
    "the store is in PostgreSQL, whose own tools do it; user and password come from --username and PGPASSWORD, or ~/.pgpass:\n" +
      `  ${command}`,
    { exitCode: 2 },
  );
}

/** As a shell reads it back. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

async function orCliError<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    if (error instanceof StoreError || error instanceof BackupError) {
      throw new CliError(error.message, { cause: error });
    }
    throw error;
  }
}
