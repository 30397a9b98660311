import { type Kysely, sql, type Transaction } from "kysely";
import { configDigest } from "../wire/digest.ts";
import { newEtag } from "./etag.ts";
import { configOf } from "./rows.ts";
import type { Schema } from "./schema.ts";
import { type AgentKey, type ConfigRecord, KEPT_REVISIONS, type NewConfig, StoreError } from "./store.ts";

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

/** Store.putConfig, in a transaction of its own. */
export async function putConfig(
  trx: Transaction<Schema>,
  key: AgentKey,
  next: NewConfig,
): Promise<ConfigRecord> {
  const createTime = new Date();
  const agent = await trx
    .updateTable("agents")
    .set({
      config_revision: sql`config_revision + 1`,
      etag: newEtag(),
      update_time: createTime.getTime(),
    })
    .where("tenant", "=", key.tenant)
    .where("id", "=", key.id)
    .returning("config_revision")
    .executeTakeFirst();
  if (agent === undefined) throw new StoreError("not_found", `agent ${key.id} does not exist`);
  const revision = Number(agent.config_revision);
  // Throwing rolls the new revision back.
  if (next.expectedRevision !== 0 && next.expectedRevision !== revision - 1) {
    throw new StoreError(
      "revision_conflict",
      `revision ${next.expectedRevision} was expected, and ${revision - 1} is current`,
      { currentRevision: revision - 1 },
    );
  }
  const { config, policy, author } = next;
  const record = await insertConfig(trx, key, { revision, config, policy, author, createTime });
  await trx
    .deleteFrom("configs")
    .where("tenant", "=", key.tenant)
    .where("agent_id", "=", key.id)
    .where("revision", "<=", revision - KEPT_REVISIONS)
    .execute();
  return record;
}

/** Adds a revision as it is; the caller has made it the current one. */
export async function insertConfig(
  trx: Transaction<Schema>,
  key: AgentKey,
  config: Omit<ConfigRecord, "sha256">,
): Promise<ConfigRecord> {
  const row = {
    tenant: key.tenant,
    agent_id: key.id,
    revision: config.revision,
    config: JSON.stringify(config.config),
    policy_mode: config.policy.mode,
    policy_tools: JSON.stringify(config.policy.tools),
    sha256: configDigest(config.config, config.policy),
    author: config.author,
    create_time: config.createTime.getTime(),
  };
  await trx.insertInto("configs").values(row).execute();
  return configOf(row);
}
