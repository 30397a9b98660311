import type { Kysely, Transaction } from "kysely";
import type { Actor } from "../audit.ts";
import { audit } from "./audit-queries.ts";
import { lockAgent } from "./agent-lock.ts";
import { insertConfig } from "./config-rows.ts";
import { agentOf, newEtag } from "./rows.ts";
import type { Schema } from "../schema/schema.ts";
import { storable } from "./storable.ts";
import {
  type AgentChanges,
  type AgentKey,
  type AgentRecord,
  type AgentState,
  type NewAgent,
  StoreError,
} from "../store.ts";
import { configDigest } from "@valinor/protocol";

/** States in which an agent holds its CID and address; the indexes of migrations.ts say the same. */
const live: readonly AgentState[] = ["PROVISIONING", "RUNNING"];

/** What UpdateAgent may change, by the names that the API has for it. */
const fields = { status: "status", vsockCid: "vsock_cid", address: "address" } as const;

/** Store.createAgent, in a transaction of its own. The indexes of migrations.ts hold what is checked here. */
export async function createAgent(
  trx: Transaction<Schema>,
  agent: NewAgent,
  actor: Actor,
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
  const policy = { mode: "all", tools: [] } as const;
  await insertConfig(trx, agent, {
    revision: 1,
    config: {},
    policy,
    sha256: configDigest({}, policy),
    author: actor.subject,
    rollbackOf: 0,
    createTime: new Date(now),
  });
  const { status, vsock_cid, address } = row;
  const about = { tenant: agent.tenant, agentId: agent.id };
  await audit(trx, actor, "agent.create", about, { status, vsock_cid, address });
  return agentOf(row);
}

/** The message names no other agent: it may be another tenant's. */
async function refuseTakenAddress(trx: Transaction<Schema>, agent: NewAgent): Promise<void> {
  if (!live.includes(agent.status) || (agent.vsockCid === 0 && agent.address === "")) return;
  const holder = await trx
    .selectFrom("agents")
    .select("vsock_cid")
    .where("status", "in", live)
    .where((where) => where.or([where("tenant", "<>", agent.tenant), where("id", "<>", agent.id)]))
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
    .where("id", "=", storable(key.id))
    .executeTakeFirst();
  return row && agentOf(row);
}

/** Store.updateAgent, in a transaction of its own. */
export async function updateAgent(
  trx: Transaction<Schema>,
  key: AgentKey,
  changes: AgentChanges,
  etag: string,
  actor: Actor,
): Promise<AgentRecord> {
  const before = await lockAgent(trx, key);
  if (etag !== "" && etag !== before.etag) {
    throw new StoreError("etag_conflict", `agent ${key.id} was changed: its etag is ${before.etag} now`);
  }
  const after = { ...before, ...changes };
  const changed = (["status", "vsockCid", "address"] as const).filter((name) => after[name] !== before[name]);
  if (changed.length === 0) return before;
  await refuseTakenAddress(trx, after);
  const row = await trx
    .updateTable("agents")
    .set({
      status: after.status,
      vsock_cid: after.vsockCid,
      address: after.address,
      etag: newEtag(),
      update_time: Date.now(),
    })
    .where("tenant", "=", key.tenant)
    .where("id", "=", key.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  const about = { tenant: key.tenant, agentId: key.id };
  await audit(trx, actor, "agent.update", about, { fields: changed.map((name) => fields[name]) });
  return agentOf(row);
}

/** Store.deleteAgent, in a transaction of its own: configurations and contexts go by their foreign keys. */
export async function deleteAgent(trx: Transaction<Schema>, key: AgentKey, actor: Actor): Promise<boolean> {
  const result = await trx
    .deleteFrom("agents")
    .where("tenant", "=", key.tenant)
    .where("id", "=", key.id)
    .executeTakeFirst();
  if (result.numDeletedRows === 0n) return false;
  await audit(trx, actor, "agent.delete", { tenant: key.tenant, agentId: key.id }, {});
  return true;
}

/** Store.deleteTenant, in a transaction of its own. */
export async function deleteTenant(
  trx: Transaction<Schema>,
  tenant: string,
  actor: Actor,
): Promise<{ agents: number; keys: number }> {
  const removed = { agents: 0, keys: 0 };
  for (const table of ["agents", "keys"] as const) {
    const result = await trx.deleteFrom(table).where("tenant", "=", tenant).executeTakeFirst();
    removed[table] = Number(result.numDeletedRows);
  }
  await audit(trx, actor, "tenant.delete", { tenant }, { ...removed });
  return removed;
}
