import type { Kysely, Transaction } from "kysely";
import { contextOf } from "./rows.ts";
import type { Schema } from "./schema.ts";
import { type AgentKey, type ContextRecord, MAX_CONTEXTS, StoreError } from "./store.ts";

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
): Promise<void> {
  await lockAgent(trx, key);
  if (entry.payload["context"] === "") return removeContext(trx, key, entry.key);
  const row = {
    tenant: key.tenant,
    agent_id: key.id,
    key: entry.key,
    payload: JSON.stringify(entry.payload),
    update_time: Date.now(),
  };
  await trx
    .insertInto("contexts")
    .values(row)
    .onConflict((conflict) =>
      conflict
        .columns(["tenant", "agent_id", "key"])
        .doUpdateSet({ payload: row.payload, update_time: row.update_time }),
    )
    .execute();
  const { entries } = await trx
    .selectFrom("contexts")
    .select((select) => select.fn.countAll().as("entries"))
    .where("tenant", "=", key.tenant)
    .where("agent_id", "=", key.id)
    .executeTakeFirstOrThrow();
  if (Number(entries) > MAX_CONTEXTS) {
    throw new StoreError("too_many", `the context of agent ${key.id} has ${MAX_CONTEXTS} entries already`);
  }
}

async function removeContext(trx: Transaction<Schema>, key: AgentKey, name: string): Promise<void> {
  await trx
    .deleteFrom("contexts")
    .where("tenant", "=", key.tenant)
    .where("agent_id", "=", key.id)
    .where("key", "=", name)
    .execute();
}

/** Holds the agent's row to the end of the transaction. StoreError `not_found`. */
async function lockAgent(trx: Transaction<Schema>, key: AgentKey): Promise<void> {
  const locked = await trx
    .updateTable("agents")
    .set((set) => ({ etag: set.ref("etag") }))
    .where("tenant", "=", key.tenant)
    .where("id", "=", key.id)
    .returning("id")
    .executeTakeFirst();
  if (locked === undefined) throw new StoreError("not_found", `agent ${key.id} does not exist`);
}
