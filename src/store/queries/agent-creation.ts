import type { Kysely, Transaction } from "kysely";
import { configDigest } from "@valinor/protocol";
import type { Actor } from "../audit.ts";
import { takenPlaces } from "./agent-places.ts";
import { appendAudit } from "./audit-queries.ts";
import { insertConfigs } from "./config-rows.ts";
import { agentOf, newEtag } from "./rows.ts";
import type { Schema } from "../schema/schema.ts";
import { storable } from "./storable.ts";
import { type AgentKey, type AgentRecord, type NewAgent, StoreError } from "../store.ts";

/** Revision 1 of every agent. */
const FIRST = { revision: 1, config: {}, policy: { mode: "all", tools: [] }, rollbackOf: 0 } as const;
const FIRST_DIGEST = configDigest(FIRST.config, FIRST.policy);

/** Store.createAgent, in a transaction of its own. */
export async function createAgent(
  trx: Transaction<Schema>,
  agent: NewAgent,
  actor: Actor,
): Promise<AgentRecord> {
  const [created] = await createAgents(trx, [agent], actor);
  if (created instanceof StoreError || created === undefined) throw created;
  return created;
}

/**
 * Store.createAgents, in a transaction of its own: each agent is judged as if it came after those before it. The indexes of migrations.ts
 * hold what is checked here.
 */
export async function createAgents(
  trx: Transaction<Schema>,
  agents: readonly NewAgent[],
  actor: Actor,
): Promise<(AgentRecord | StoreError)[]> {
  const known = await knownAgents(trx, agents);
  const taken = await takenPlaces(trx, agents);
  const now = Date.now();
  const rows: ReturnType<typeof rowOf>[] = [];
  const results = agents.map((agent) => {
    const refusal = known.has(nameOf(agent)) ? exists(agent) : taken.refusal(agent);
    if (refusal !== undefined) return refusal;
    const row = rowOf(agent, now);
    known.add(nameOf(agent));
    taken.add(agent);
    rows.push(row);
    return agentOf(row);
  });
  if (rows.length > 0) await insertAll(trx, rows, actor, new Date(now));
  return results;
}

/** Which of these agents there are, by `nameOf`. */
export async function knownAgents(db: Kysely<Schema>, keys: readonly AgentKey[]): Promise<Set<string>> {
  const known = new Set<string>();
  for (const [tenant, ids] of Map.groupBy(keys, (key) => key.tenant)) {
    const rows = await db
      .selectFrom("agents")
      .select(["tenant", "id"])
      .where("tenant", "=", tenant)
      .where(
        "id",
        "in",
        ids.map(({ id }) => storable(id)),
      )
      .execute();
    for (const row of rows) known.add(nameOf(row));
  }
  return known;
}

/** One name for both parts of a key; ids hold no slash. */
export function nameOf({ tenant, id }: AgentKey): string {
  return `${id}/${tenant}`;
}

/** What createAgent says of an agent that there is. */
export function exists({ id }: AgentKey): StoreError {
  return new StoreError("exists", `agent ${id} exists`);
}

function rowOf(agent: NewAgent, now: number) {
  return {
    tenant: agent.tenant,
    id: agent.id,
    status: agent.status,
    vsock_cid: agent.vsockCid,
    address: agent.address,
    etag: newEtag(),
    create_time: now,
    update_time: now,
    config_revision: FIRST.revision,
  };
}

/** The audit log comes last, as `audit` says. */
async function insertAll(
  trx: Transaction<Schema>,
  rows: readonly ReturnType<typeof rowOf>[],
  { subject, credential }: Actor,
  createTime: Date,
): Promise<void> {
  await trx.insertInto("agents").values(rows).execute();
  const first = { ...FIRST, sha256: FIRST_DIGEST, author: subject, createTime };
  await insertConfigs(
    trx,
    rows.map((row) => ({ key: row, config: first })),
  );
  const entries = rows.map(({ tenant, id: agentId, status, vsock_cid, address }) => {
    const detail = { status, vsock_cid, address };
    return { tenant, subject, credential, action: "agent.create" as const, agentId, detail };
  });
  await appendAudit(trx, entries);
}
