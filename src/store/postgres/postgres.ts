import { Kysely, sql } from "kysely";
import { Client, type ClientConfig, DatabaseError, Pool } from "pg";
import { postgresTypes } from "../schema/column-types.ts";
import type { Engine } from "../engine.ts";
import { migrate } from "../schema/migrate.ts";
import { postgresDialect } from "./postgres-dialect.ts";
import { carefulPool } from "./postgres-pool.ts";
import type { Schema } from "../schema/schema.ts";
import { createSqlStore } from "../sql-store.ts";
import { type Store, StoreError } from "../store.ts";
import { createTroubles, type OnStoreNews, type Troubles } from "../troubles.ts";
import { errorText } from "@valinor/protocol";

/** How a store uses its server. */
export interface PostgresOptions {
  /** Most connections. Default 10. */
  readonly maxConnections?: number;
  /** Longest wait for a connection, a new one or a free one, milliseconds. Default 3 s. */
  readonly connectMs?: number;
  /** Longest statement, milliseconds; its connection is given up a second later. Default 10 s. */
  readonly statementMs?: number;
  /** Longest step of a migration, and longest wait for another server that migrates, milliseconds. Default 10 minutes. */
  readonly migrationMs?: number;
}

/** How long the server's own report of a statement that took too long may take, milliseconds. */
const REPORT_MS = 1_000;

/** Longest statement of the connection that finds out whether a pooler is in between, milliseconds. */
const PROBE_MS = 9_999;

/** A connection that says nothing is asked for a sign of life after this long, milliseconds. */
const KEEP_ALIVE_MS = 10_000;

/** A transaction whose client is gone holds its locks no longer than this, milliseconds. */
const ABANDONED_MS = 30_000;

/** SQLSTATE protocol_violation: what PgBouncer says to a setting among the startup parameters. */
const PROTOCOL_VIOLATION = "08P01";

/** SQLSTATE disk_full. */
const DISK_FULL = "53100";

/** SQLSTATE: unique_violation, serialization_failure, deadlock_detected. */
const RETRIED = new Set(["23505", "40001", "40P01"]);

/**
 * Opens a store in a database of a PostgreSQL server, and brings its schema up to date; several processes may do so at once. Rejects
 * with StoreError `unavailable` that names host and database, never the password.
 */
export async function openPostgresStore(
  url: string,
  options: PostgresOptions = {},
  onNews?: OnStoreNews,
): Promise<Store> {
  return createSqlStore((await open(url, options, createTroubles(onNews))).engine);
}

/** Brings the schema of a database up to date, as openPostgresStore does. Resolves with the names of the steps it took. */
export async function migratePostgresStore(url: string, options: PostgresOptions = {}): Promise<string[]> {
  const { engine, steps } = await open(url, options, createTroubles(undefined));
  await engine.close();
  return steps;
}

/** Where a database is, as a URL with neither user nor password. Throws StoreError if it is not a URL of PostgreSQL. */
export function postgresName(url: string): string {
  try {
    const { host, port, database } = new Client({ connectionString: url });
    const name = encodeURIComponent(database ?? "");
    // The folder of a Unix socket comes after the name.
    if (host.startsWith("/")) return `postgres:///${name}?host=${host}&port=${port}`;
    return `postgres://${host.includes(":") ? `[${host}]` : host}:${port}/${name}`;
  } catch {
    // The error has the URL in it.
    throw new StoreError("unavailable", "the URL of the PostgreSQL store cannot be read");
  }
}

async function open(
  url: string,
  options: PostgresOptions,
  troubles: Troubles,
): Promise<{ engine: Engine; steps: string[] }> {
  const name = postgresName(url);
  const { maxConnections = 10, statementMs = 10_000, migrationMs = 600_000 } = options;
  try {
    const isPooled = await keepsNoSettings(url, options);
    const steps = await migrateOver(
      connect(url, isPooled, { ...options, maxConnections: 1, statementMs: migrationMs }),
    );
    const db = connect(url, isPooled, { ...options, maxConnections, statementMs });
    const engine: Engine = {
      name,
      db,
      troubles,
      troubleOf: (error) => (error instanceof DatabaseError && error.code === DISK_FULL ? "full" : undefined),
      transaction: (operation) => db.transaction().execute(operation),
      mayRetry: (error) => error instanceof DatabaseError && RETRIED.has(error.code ?? ""),
      read: (operation) => operation(),
      // The server itself frees what is deleted (docs/operations.md).
      beforeDeleted: () => Promise.resolve(),
      deleted: () => undefined,
      close: () => db.destroy(),
    };
    return { engine, steps };
  } catch (error) {
    throw new StoreError("unavailable", `cannot open the store ${name}: ${errorText(error)}`, {
      cause: error,
    });
  }
}

/** Over connections of its own: a step may take longer than a statement. */
async function migrateOver(db: Kysely<Schema>): Promise<string[]> {
  try {
    await checkEncoding(db);
    return await migrate(db, postgresTypes);
  } finally {
    await db.destroy();
  }
}

/** Other encodings refuse characters that clients may send. */
async function checkEncoding(db: Kysely<Schema>): Promise<void> {
  const { rows } = await sql<{ server_encoding: string }>`show server_encoding`.execute(db);
  const encoding = rows[0]?.server_encoding;
  if (encoding !== "UTF8") throw new Error(`its encoding is ${encoding}: a database with UTF8 is needed`);
}

/**
 * Whether the server is behind a pooler: one that refuses settings among the startup parameters, or leaves them out as it was told
 * to. Rejects if no connection is made.
 */
async function keepsNoSettings(url: string, options: PostgresOptions): Promise<boolean> {
  const client = new Client(clientOptions(url, false, { ...options, statementMs: PROBE_MS }));
  client.on("error", () => undefined); // the query that is under way gets it as well
  try {
    await client.connect();
    const asked = "select setting from pg_settings where name = 'statement_timeout'";
    const { rows } = await client.query<{ setting: string }>(asked);
    return rows[0]?.setting !== String(PROBE_MS);
  } catch (error) {
    // Whatever else it means, the next connection, without settings, will tell.
    if (error instanceof DatabaseError && error.code === PROTOCOL_VIOLATION) return true;
    throw error;
  } finally {
    await client.end().catch(() => undefined); // it broke before
  }
}

function connect(url: string, isPooled: boolean, options: PostgresOptions): Kysely<Schema> {
  const { maxConnections = 1, statementMs = 0 } = options;
  const pool = new Pool({ ...clientOptions(url, isPooled, options), max: maxConnections });
  const rules = { statementMs, abandonedMs: ABANDONED_MS, isPooled };
  return new Kysely<Schema>({ dialect: postgresDialect(carefulPool(pool, rules)) });
}

function clientOptions(url: string, isPooled: boolean, options: PostgresOptions): ClientConfig {
  const { connectMs = 3_000, statementMs = 0 } = options;
  return {
    connectionString: url,
    application_name: "valinor",
    connectionTimeoutMillis: connectMs,
    query_timeout: statementMs + REPORT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    ...(!isPooled && {
      statement_timeout: statementMs,
      idle_in_transaction_session_timeout: ABANDONED_MS,
    }),
  };
}
