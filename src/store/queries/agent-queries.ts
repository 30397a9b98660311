import type { Kysely, Transaction } from "kysely";
import type { Actor } from "../audit.ts";
import { audit } from "./audit-queries.ts";
import { lockAgent } from "./agent-lock.ts";
import { takenPlaces } from "./agent-places.ts";
import { agentOf, newEtag } from "./rows.ts";
import type { Schema } from "../schema/schema.ts";
import { storable } from "./storable.ts";
import { type AgentChanges, type AgentKey, type AgentRecord, StoreError } from "../store.ts";

/** What UpdateAgent may change, by the names that the API has for it. */
const fields = { status: "status", vsockCid: "vsock_cid", address: "address" } as const;

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
  const refusal = (await takenPlaces(trx, [after], before)).refusal(after);
  if (refusal !== undefined) throw refusal;
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
