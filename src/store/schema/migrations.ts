import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";
import type { ColumnTypes } from "./column-types.ts";
import { addKeysAndAudit } from "./migration-0002.ts";

/**
 * Every step from an empty database to the schema of schema.ts, by name; they run in the order of their names. A step that was
 * released never changes: write another.
 */
export function migrations(types: ColumnTypes): Record<string, Migration> {
  return {
    "0001_agents": {
      async up(db: Kysely<unknown>) {
        await createAgents(db, types);
        await createConfigs(db, types);
        await createContexts(db, types);
      },
    },
    "0002_keys_audit": {
      up: (db: Kysely<unknown>) => addKeysAndAudit(db, types),
    },
  };
}

async function createAgents(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  await db.schema
    .createTable("agents")
    .addColumn("tenant", types.key, (column) => column.notNull())
    .addColumn("id", types.key, (column) => column.notNull())
    .addColumn("status", "text", (column) =>
      column.notNull().check(sql`status in ('PROVISIONING', 'RUNNING', 'STOPPED', 'FAILED')`),
    )
    .addColumn("vsock_cid", "bigint", (column) => column.notNull())
    .addColumn("address", "text", (column) => column.notNull())
    .addColumn("etag", "text", (column) => column.notNull())
    .addColumn("create_time", "bigint", (column) => column.notNull())
    .addColumn("update_time", "bigint", (column) => column.notNull())
    .addColumn("config_revision", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("agents_pk", ["tenant", "id"])
    .execute();
  // Two live agents on one address would hand one tenant's messages to another's machine: the database itself forbids it.
  await db.schema
    .createIndex("agents_live_cid")
    .unique()
    .on("agents")
    .column("vsock_cid")
    .where(sql<boolean>`vsock_cid <> 0 and status in ('PROVISIONING', 'RUNNING')`)
    .execute();
  await db.schema
    .createIndex("agents_live_address")
    .unique()
    .on("agents")
    .column("address")
    .where(sql<boolean>`address <> '' and status in ('PROVISIONING', 'RUNNING')`)
    .execute();
}

async function createConfigs(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  await db.schema
    .createTable("configs")
    .addColumn("tenant", types.key, (column) => column.notNull())
    .addColumn("agent_id", types.key, (column) => column.notNull())
    .addColumn("revision", "bigint", (column) => column.notNull())
    .addColumn("config", "text", (column) => column.notNull())
    .addColumn("policy_mode", "text", (column) => column.notNull())
    .addColumn("policy_tools", "text", (column) => column.notNull())
    .addColumn("sha256", "text", (column) => column.notNull())
    .addColumn("author", "text", (column) => column.notNull())
    .addColumn("create_time", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("configs_pk", ["tenant", "agent_id", "revision"])
    .addForeignKeyConstraint("configs_agent", ["tenant", "agent_id"], "agents", ["tenant", "id"], (key) =>
      key.onDelete("cascade"),
    )
    .execute();
}

async function createContexts(db: Kysely<unknown>, types: ColumnTypes): Promise<void> {
  await db.schema
    .createTable("contexts")
    .addColumn("tenant", types.key, (column) => column.notNull())
    .addColumn("agent_id", types.key, (column) => column.notNull())
    .addColumn("key", types.key, (column) => column.notNull())
    .addColumn("payload", "text", (column) => column.notNull())
    .addColumn("update_time", "bigint", (column) => column.notNull())
    .addPrimaryKeyConstraint("contexts_pk", ["tenant", "agent_id", "key"])
    .addForeignKeyConstraint("contexts_agent", ["tenant", "agent_id"], "agents", ["tenant", "id"], (key) =>
      key.onDelete("cascade"),
    )
    .execute();
}
