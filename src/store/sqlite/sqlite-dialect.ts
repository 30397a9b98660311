import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { whileBusy } from "./sqlite-errors.ts";

/** Kysely's SQLite dialect over node:sqlite. Closing Kysely closes the database. */
export function nodeSqliteDialect(database: DatabaseSync): Dialect {
  return {
    createAdapter: () => new NodeSqliteAdapter(),
    createDriver: () => new NodeSqliteDriver(database),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** Statements that are kept prepared: there are some dozens, and filters make others. */
const STATEMENTS = 200;

/**
 * Kysely expects better-sqlite3, which takes parameters as one array and says whether a statement gives rows. It asks for a statement
 * each time; preparing one takes longer than most of them run.
 */
function asKyselyDatabase(database: DatabaseSync): SqliteDatabase {
  const kept = new Map<string, ReturnType<SqliteDatabase["prepare"]>>();
  return {
    close: () => database.close(),
    prepare(sql) {
      const known = kept.get(sql);
      if (known !== undefined) return known;
      const made = prepare(sql);
      const [oldest] = kept.keys();
      if (kept.size >= STATEMENTS && oldest !== undefined) kept.delete(oldest);
      kept.set(sql, made);
      return made;
    },
  };

  function prepare(sql: string): ReturnType<SqliteDatabase["prepare"]> {
    const statement = database.prepare(sql);
    const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
    return {
      reader: statement.columns().length > 0,
      all: (parameters) => statement.all(...values(parameters)),
      run: (parameters) => statement.run(...values(parameters)),
      iterate: (parameters) => statement.iterate(...values(parameters)),
    };
  }
}

class NodeSqliteAdapter extends SqliteAdapter {
  /** SQLite rolls back a change of the schema like any other: a migration that fails half-way leaves nothing. */
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class NodeSqliteDriver extends SqliteDriver {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    super({ database: asKyselyDatabase(database) });
    this.#database = database;
  }

  /**
   * Takes the write lock at once. A transaction that reads first and asks for the lock later fails when another process wrote
   * in between, and no waiting helps it; this way, what follows in the transaction never waits.
   */
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await whileBusy(() => connection.executeQuery(CompiledQuery.raw("begin immediate")));
  }

  /** SQLite has rolled back already after some errors (disk full); another rollback would hide the first error. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#database.isTransaction) await super.rollbackTransaction(connection);
  }
}
