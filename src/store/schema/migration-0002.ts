import { type Kysely, sql } from "kysely";
import type { ColumnTypes } from "./column-types.ts";

/** Migration 0002: what guests said of revisions, versions of context entries, API keys and the audit log. */
export async function addKeysAndAudit(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  await extendConfigs(db);
  await db.schema
    .alterTable("contexts")
    .addColumn("version", "text", (column) => column.notNull().defaultTo(""))
    .execute();
  await createKeys(db, types);
  await createAudit(db, types);
}

/** One statement a column: SQLite adds no two at once. */
async function extendConfigs(db: Kysely<unknown>): Promise<void> {
  const configs = db.schema.alterTable("configs");
  await configs.addColumn("rollback_of", "bigint", (column) => column.notNull().defaultTo(0)).execute();
  await configs
    .addColumn("outcome", "text", (column) =>
      column
        .notNull()
        .defaultTo("none")
        .check(sql`outcome in ('none', 'applied', 'refused')`),
    )
    .execute();
  await configs.addColumn("outcome_reason", "text", (column) => column.notNull().defaultTo("")).execute();
  await configs.addColumn("outcome_boot", "text", (column) => column.notNull().defaultTo("")).execute();
  await configs.addColumn("outcome_time", "bigint").execute();
}

async function createKeys(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  await db.schema
    .createTable("keys")
    .addColumn("id", types.key, (column) => column.notNull())
    .addColumn("tenant", types.key, (column) => column.notNull())
    .addColumn("subject", "text", (column) => column.notNull())
    .addColumn("permissions", "text", (column) => column.notNull())
    .addColumn("sha256", "text", (column) => column.notNull())
    .addColumn("label", "text", (column) => column.notNull())
    .addColumn("create_time", "bigint", (column) => column.notNull())
    .addColumn("expire_time", "bigint")
    .addColumn("revoke_time", "bigint")
    .addColumn("last_used_time", "bigint")
    .addPrimaryKeyConstraint("keys_pk", ["id"])
    .execute();
  await db.schema.createIndex("keys_tenant").on("keys").columns(["tenant", "id"]).execute();
}

async function createAudit(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  await db.schema
    .createTable("audit")
    .addColumn("sequence", types.sequence)
    .addColumn("time", "bigint", (column) => column.notNull())
    .addColumn("tenant", types.key, (column) => column.notNull())
    .addColumn("subject", "text", (column) => column.notNull())
    .addColumn("credential", "text", (column) => column.notNull())
    .addColumn("action", "text", (column) => column.notNull())
    .addColumn("agent_id", types.key, (column) => column.notNull())
    .addColumn("detail", "text", (column) => column.notNull())
    .execute();
  await db.schema.createIndex("audit_tenant").on("audit").columns(["tenant", "sequence"]).execute();
  await db.schema.createIndex("audit_time").on("audit").column("time").execute();
  for (const rule of types.auditRules) await rule.execute(db);
}
