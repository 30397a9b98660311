import { type Kysely, sql } from "kysely";
import { Migrator } from "kysely/migration";
import type { ColumnTypes } from "./column-types.ts";
import { migrations } from "./migrations.ts";
import { columns, type Schema } from "./schema.ts";
import { textOf } from "./store.ts";

/**
 * Brings the schema up to date, all or nothing; several processes may do so at once. Resolves with the names of the steps it took.
 * Rejects where a newer version of Valinor wrote the database, or where what is there is not what the list of steps says.
 */
export async function migrate(db: Kysely<Schema>, types: ColumnTypes): Promise<string[]> {
  const steps = migrations(types);
  await refuseNewerSchema(db, types);
  const migrator = new Migrator({ db, provider: { getMigrations: () => Promise.resolve(steps) } });
  const { error, results } = await migrator.migrateToLatest();
  if (error !== undefined) {
    throw new Error(`its schema cannot be brought up to date: ${textOf(error)}`, { cause: error });
  }
  await checkSchema(db);
  return (results ?? []).map((result) => result.migrationName);
}

/** Rejects where a newer version of Valinor wrote the database. Resolves with whether Valinor wrote it at all. */
export async function refuseNewerSchema(db: Kysely<Schema>, types: ColumnTypes): Promise<boolean> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === "kysely_migration")) return false;
  const known = new Set(Object.keys(migrations(types)));
  const done = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  const unknown = done.rows.find((row) => !known.has(row.name));
  if (unknown !== undefined) {
    throw new Error(`a newer version of valinor wrote it (its schema has ${unknown.name}): use that version`);
  }
  return done.rows.length > 0;
}

/** The list of migrations says what was done once, not what is there now. */
async function checkSchema(db: Kysely<Schema>): Promise<void> {
  try {
    await db.selectFrom("agents").select(columns.agents).limit(0).execute();
    await db.selectFrom("configs").select(columns.configs).limit(0).execute();
    await db.selectFrom("contexts").select(columns.contexts).limit(0).execute();
    await db.selectFrom("keys").select(columns.keys).limit(0).execute();
    await db.selectFrom("audit").select(columns.audit).limit(0).execute();
  } catch (error) {
    throw new Error(`its schema is damaged: ${textOf(error)}`, { cause: error });
  }
}
