import type { Kysely, Transaction } from "kysely";
import type { Actor } from "../audit.ts";
import { lockAgent, tryLockAgent } from "./agent-lock.ts";
import { audit, valinor } from "./audit-queries.ts";
import { contextOf, newEtag } from "./rows.ts";
import type { Schema } from "../schema/schema.ts";
import { type AgentKey, type ContextRecord, MAX_CONTEXTS, StoreError } from "../store.ts";

/** Store.contexts. */
export async function contexts(db: Kysely<Schema>, key: AgentKey): Promise<ContextRecord[]> {
  const rows = await db
    .selectFrom("contexts")
    .selectAll()
    .where("tenant", "=", key.tenant)
    .where("agent_id", "=", key.id)
    .orderBy("key")
    .execute();
  return rows.map(contextOf);
}

/** Store.putContext, in a transaction of its own. */
export async function putContext(
  trx: Transaction<Schema>,
  key: AgentKey,
  entry: Pick<ContextRecord, "key" | "payload">,
  actor: Actor,
): Promise<ContextRecord> {
  await lockAgent(trx, key);
  const record = { ...entry, updateTime: new Date(), version: newEtag() };
  if (isRemoval(entry)) await removeEntry(trx, key, entry.key);
  else await setEntry(trx, key, record);
  await refuseTooMany(trx, key);
  const bytes = Buffer.byteLength(JSON.stringify(entry.payload));
  await audit(trx, actor, "context.push", about(key), { key: entry.key, bytes });
  return record;
}

/** Store.restoreContext, in a transaction of its own. */
export async function restoreContext(
  trx: Transaction<Schema>,
  key: AgentKey,
  refused: ContextRecord,
  before: ContextRecord | undefined,
): Promise<boolean> {
  if ((await tryLockAgent(trx, key)) === undefined) return false;
  const now = await trx
    .selectFrom("contexts")
    .select("version")
    .where("tenant", "=", key.tenant)
    .where("agent_id", "=", key.id)
    .where("key", "=", refused.key)
    .executeTakeFirst();
  // A removal left nothing that could have a version.
  const isSame = isRemoval(refused) ? now === undefined : now?.version === refused.version;
  if (!isSame) return false;
  // What was removed can't come back if the context was filled meanwhile.
  if (now === undefined && before !== undefined && (await countEntries(trx, key)) >= MAX_CONTEXTS)
    return false;
  if (before === undefined) await removeEntry(trx, key, refused.key);
  else await setEntry(trx, key, { ...before, version: newEtag() });
  await audit(trx, valinor, "context.refused", about(key), { key: refused.key });
  return true;
}

function isRemoval(entry: Pick<ContextRecord, "payload">): boolean {
  return entry.payload["context"] === "";
}

async function setEntry(trx: Transaction<Schema>, key: AgentKey, entry: ContextRecord): Promise<void> {
  const value = {
    payload: JSON.stringify(entry.payload),
    update_time: entry.updateTime.getTime(),
    version: entry.version,
  };
  await trx
    .insertInto("contexts")
    .values({ tenant: key.tenant, agent_id: key.id, key: entry.key, ...value })
    .onConflict((conflict) => conflict.columns(["tenant", "agent_id", "key"]).doUpdateSet(value))
    .execute();
}

async function removeEntry(trx: Transaction<Schema>, key: AgentKey, name: string): Promise<void> {
  await trx
    .deleteFrom("contexts")
    .where("tenant", "=", key.tenant)
    .where("agent_id", "=", key.id)
    .where("key", "=", name)
    .execute();
}

async function refuseTooMany(trx: Transaction<Schema>, key: AgentKey): Promise<void> {
  if ((await countEntries(trx, key)) > MAX_CONTEXTS) {
    throw new StoreError("too_many", `the context of agent ${key.id} has ${MAX_CONTEXTS} entries already`);
  }
}

async function countEntries(trx: Transaction<Schema>, key: AgentKey): Promise<number> {
  const { entries } = await trx
    .selectFrom("contexts")
    .select((select) => select.fn.countAll().as("entries"))
    .where("tenant", "=", key.tenant)
    .where("agent_id", "=", key.id)
    .executeTakeFirstOrThrow();
  return Number(entries);
}

function about(key: AgentKey): { tenant: string; agentId: string } {
  return { tenant: key.tenant, agentId: key.id };
}
