import type { Kysely, Transaction } from "kysely";
import { configOf } from "./rows.ts";
import type { Schema } from "../schema/schema.ts";
import { type AgentKey, type ConfigRecord, KEPT_REVISIONS, type Store } from "../store.ts";

/** Store.currentConfig. */
export async function currentConfig(db: Kysely<Schema>, key: AgentKey): Promise<ConfigRecord | undefined> {
  const row = await db
    .selectFrom("configs")
    .innerJoin("agents", (join) =>
      join
        .onRef("agents.tenant", "=", "configs.tenant")
        .onRef("agents.id", "=", "configs.agent_id")
        .onRef("agents.config_revision", "=", "configs.revision"),
    )
    .selectAll("configs")
    .where("configs.tenant", "=", key.tenant)
    .where("configs.agent_id", "=", key.id)
    .executeTakeFirst();
  return row && configOf(row);
}

/** Store.getConfig. */
export async function getConfig(
  db: Kysely<Schema>,
  key: AgentKey,
  revision: number,
): Promise<ConfigRecord | undefined> {
  const row = await db
    .selectFrom("configs")
    .selectAll()
    .where("tenant", "=", key.tenant)
    .where("agent_id", "=", key.id)
    .where("revision", "=", revision)
    .executeTakeFirst();
  return row && configOf(row);
}

/** Store.listConfigs. */
export async function listConfigs(
  db: Kysely<Schema>,
  key: AgentKey,
  page: Parameters<Store["listConfigs"]>[1],
): Promise<ConfigRecord[]> {
  let query = db
    .selectFrom("configs")
    .selectAll()
    .where("tenant", "=", key.tenant)
    .where("agent_id", "=", key.id);
  if (page.before !== 0) query = query.where("revision", "<", page.before);
  return (await query.orderBy("revision", "desc").limit(page.limit).execute()).map(configOf);
}

/** Adds a revision as it is, without a verdict; the caller makes it the current one. */
export async function insertConfig(
  trx: Transaction<Schema>,
  key: AgentKey,
  config: Omit<ConfigRecord, "verdict">,
): Promise<ConfigRecord> {
  const insert = trx.insertInto("configs").values(valuesOf(key, config));
  return configOf(await insert.returningAll().executeTakeFirstOrThrow());
}

/** The same for revisions of many agents, at least one. */
export async function insertConfigs(
  trx: Transaction<Schema>,
  revisions: readonly { readonly key: AgentKey; readonly config: Omit<ConfigRecord, "verdict"> }[],
): Promise<void> {
  const values = revisions.map(({ key, config }) => valuesOf(key, config));
  await trx.insertInto("configs").values(values).execute();
}

function valuesOf(key: AgentKey, config: Omit<ConfigRecord, "verdict">) {
  return {
    tenant: key.tenant,
    agent_id: key.id,
    revision: config.revision,
    config: JSON.stringify(config.config),
    policy_mode: config.policy.mode,
    policy_tools: JSON.stringify(config.policy.tools),
    sha256: config.sha256,
    author: config.author,
    create_time: config.createTime.getTime(),
    rollback_of: config.rollbackOf,
  };
}

/** Removes what is older than the KEPT_REVISIONS newest. Numbers may have gaps: it is rows that are counted. */
export async function pruneConfigs(trx: Transaction<Schema>, key: AgentKey): Promise<void> {
  const oldest = await trx
    .selectFrom("configs")
    .select("revision")
    .where("tenant", "=", key.tenant)
    .where("agent_id", "=", key.id)
    .orderBy("revision", "desc")
    .offset(KEPT_REVISIONS - 1)
    .limit(1)
    .executeTakeFirst();
  if (oldest === undefined) return;
  await trx
    .deleteFrom("configs")
    .where("tenant", "=", key.tenant)
    .where("agent_id", "=", key.id)
    .where("revision", "<", Number(oldest.revision))
    .execute();
}
