import type { Kysely, Transaction } from "kysely";
import { insertConfig } from "./config-queries.ts";
import { newEtag } from "./etag.ts";
import { agentOf } from "./rows.ts";
import type { Schema } from "./schema.ts";
import { type AgentKey, type AgentRecord, type AgentState, type NewAgent, StoreError } from "./store.ts";

/** States in which an agent holds its CID and address; the indexes of migrations.ts say the same. */
const live: readonly AgentState[] = ["PROVISIONING", "RUNNING"];

/** Store.createAgent, in a transaction of its own. The indexes of migrations.ts hold what is checked here. */
export async function createAgent(
  trx: Transaction<Schema>,
  agent: NewAgent,
  author: string,
): Promise<AgentRecord> {
  if ((await getAgent(trx, agent)) !== undefined) {
    throw new StoreError("exists", `agent ${agent.id} exists`);
  }
  await refuseTakenAddress(trx, agent);
  const now = Date.now();
  const row = {
    tenant: agent.tenant,
    id: agent.id,
    status: agent.status,
    vsock_cid: agent.vsockCid,
    address: agent.address,
    etag: newEtag(),
    create_time: now,
    update_time: now,
    config_revision: 1,
  };
  await trx.insertInto("agents").values(row).execute();
  await insertConfig(trx, agent, {
    revision: 1,
    config: {},
    policy: { mode: "all", tools: [] },
    author,
    createTime: new Date(now),
  });
  return agentOf(row);
}

/** The message names no other agent: it may be another tenant's. */
async function refuseTakenAddress(trx: Transaction<Schema>, agent: NewAgent): Promise<void> {
  if (!live.includes(agent.status) || (agent.vsockCid === 0 && agent.address === "")) return;
  const holder = await trx
    .selectFrom("agents")
    .select("vsock_cid")
    .where("status", "in", live)
    .where((where) =>
      where.or([
        where.and([where("vsock_cid", "=", agent.vsockCid), where("vsock_cid", "<>", 0)]),
        where.and([where("address", "=", agent.address), where("address", "<>", "")]),
      ]),
    )
    .limit(1)
    .executeTakeFirst();
  if (holder === undefined) return;
  const isCid = agent.vsockCid !== 0 && Number(holder.vsock_cid) === agent.vsockCid;
  const what = isCid ? `vsock CID ${agent.vsockCid}` : `address ${agent.address}`;
  throw new StoreError("address_taken", `${what} belongs to another live agent`);
}

/** Store.getAgent. */
export async function getAgent(db: Kysely<Schema>, key: AgentKey): Promise<AgentRecord | undefined> {
  const row = await db
    .selectFrom("agents")
    .selectAll()
    .where("tenant", "=", key.tenant)
    .where("id", "=", key.id)
    .executeTakeFirst();
  return row && agentOf(row);
}

/** Store.listAgents. */
export async function listAgents(
  db: Kysely<Schema>,
  tenant: string,
  page: { afterId: string; limit: number },
): Promise<AgentRecord[]> {
  const rows = await db
    .selectFrom("agents")
    .selectAll()
    .where("tenant", "=", tenant)
    .where("id", ">", page.afterId)
    .orderBy("id")
    .limit(page.limit)
    .execute();
  return rows.map(agentOf);
}

/** Store.allAgents. */
export async function allAgents(
  db: Kysely<Schema>,
  page: { after?: AgentKey; limit: number },
): Promise<AgentRecord[]> {
  const { after, limit } = page;
  let query = db.selectFrom("agents").selectAll().orderBy("tenant").orderBy("id").limit(limit);
  if (after !== undefined) {
    query = query.where((where) =>
      where.or([
        where("tenant", ">", after.tenant),
        where.and([where("tenant", "=", after.tenant), where("id", ">", after.id)]),
      ]),
    );
  }
  return (await query.execute()).map(agentOf);
}

/** Store.deleteAgent, in a transaction of its own: configurations and contexts go by their foreign keys. */
export async function deleteAgent(trx: Transaction<Schema>, key: AgentKey): Promise<boolean> {
  const result = await trx
    .deleteFrom("agents")
    .where("tenant", "=", key.tenant)
    .where("id", "=", key.id)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}
