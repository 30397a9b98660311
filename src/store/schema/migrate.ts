import { type Kysely, sql } from "kysely";
import { Migrator } from "kysely/migration";
import type { ColumnTypes } from "./column-types.ts";
import { migrations } from "./migrations.ts";
import { columns, type Schema } from "./schema.ts";
import { errorText } from "@valinor/protocol";

/**
 * Brings the schema up to date, all or nothing; several processes may do so at once. Resolves with the names of the steps it took.
 * Rejects if a newer version of Valinor wrote the database, or if what is there is not what the list of steps says.
 */
export async function migrate(db: Kysely<Schema>, types: ColumnTypes): Promise<string[]> {
  const done = await stepsDone(db, types);
  const taken = done.length < Object.keys(migrations(types)).length ? await takeSteps(db, types) : [];
  await checkSchema(db);
  return taken;
}

/** Names of the steps that a database has behind it. Rejects if a newer version of Valinor wrote it. */
export async function stepsDone(db: Kysely<Schema>, types: ColumnTypes): Promise<string[]> {
  const { rows } = await types.hasTable("kysely_migration").execute(db);
  if (rows.length === 0) return [];
  const done = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  const names = done.rows.map((row) => row.name);
  const known = migrations(types);
  const unknown = names.find((name) => !Object.hasOwn(known, name));
  if (unknown !== undefined) {
    throw new Error(`a newer version of valinor wrote it (its schema has ${unknown}): use that version`);
  }
  return names;
}

/** In one transaction, which holds the lock of whoever migrates: it is taken before the first table is made. */
async function takeSteps(db: Kysely<Schema>, types: ColumnTypes): Promise<string[]> {
  const provider = { getMigrations: () => Promise.resolve(migrations(types)) };
  return db.transaction().execute(async (trx) => {
    await types.lockSchema?.execute(trx);
    const { error, results = [] } = await new Migrator({ db: trx, provider }).migrateToLatest();
    if (error !== undefined) {
      throw new Error(`its schema cannot be brought up to date: ${errorText(error)}`, { cause: error });
    }
    return results.map((result) => result.migrationName);
  });
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
    throw new Error(`its schema is damaged: ${errorText(error)}`, { cause: error });
  }
}
