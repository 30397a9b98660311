import type { Transaction } from "kysely";
import { agentOf } from "./rows.ts";
import type { Schema } from "../schema/schema.ts";
import { type AgentKey, type AgentRecord, StoreError } from "../store.ts";

/** Reads an agent and holds its row to the end of the transaction. StoreError `not_found`. */
export async function lockAgent(trx: Transaction<Schema>, key: AgentKey): Promise<AgentRecord> {
  const row = await tryLockAgent(trx, key);
  if (row === undefined) throw new StoreError("not_found", `agent ${key.id} does not exist`);
  return row;
}

/** The same for an agent that may not exist: undefined if it does not. */
export async function tryLockAgent(
  trx: Transaction<Schema>,
  key: AgentKey,
): Promise<AgentRecord | undefined> {
  const row = await trx
    .updateTable("agents")
    .set((set) => ({ etag: set.ref("etag") }))
    .where("tenant", "=", key.tenant)
    .where("id", "=", key.id)
    .returningAll()
    .executeTakeFirst();
  return row && agentOf(row);
}
