import { type Kysely, sql } from "kysely";
import { agentOf } from "./rows.ts";
import type { Schema } from "../schema/schema.ts";
import { type AgentState, type NewAgent, StoreError } from "../store.ts";

/** States in which an agent holds its CID and address; the indexes of migrations.ts say the same. */
const live: readonly AgentState[] = ["PROVISIONING", "RUNNING"];

/** The conditions of those indexes as they have them: SQLite uses an index of a part of the rows for a query with the same words alone. */
const isLive = sql<boolean>`status in ('PROVISIONING', 'RUNNING')`;
const hasPlace = { vsock_cid: sql<boolean>`vsock_cid <> 0`, address: sql<boolean>`address <> ''` };

/** CIDs and addresses that live agents hold. */
class Places {
  readonly #cids = new Set<number>();
  readonly #addresses = new Set<string>();

  add(agent: NewAgent): void {
    if (!live.includes(agent.status)) return;
    if (agent.vsockCid !== 0) this.#cids.add(agent.vsockCid);
    if (agent.address !== "") this.#addresses.add(agent.address);
  }

  /** `address_taken` for an agent that wants one of them. The message names no other agent: it may be another tenant's. */
  refusal({ status, vsockCid, address }: NewAgent): StoreError | undefined {
    if (!live.includes(status)) return undefined;
    const isCid = this.#cids.has(vsockCid);
    if (!isCid && !this.#addresses.has(address)) return undefined;
    const what = isCid ? `vsock CID ${vsockCid}` : `address ${address}`;
    return new StoreError("address_taken", `${what} belongs to another live agent`);
  }
}

/** What is held by others of the places that these agents want; `itself`: an agent that is in the store already. */
export async function takenPlaces(
  db: Kysely<Schema>,
  agents: readonly NewAgent[],
  itself?: NewAgent,
): Promise<Places> {
  const wanting = agents.filter(({ status }) => live.includes(status));
  const cids = wanting.map(({ vsockCid }) => vsockCid).filter((cid) => cid !== 0);
  const addresses = wanting.map(({ address }) => address).filter((address) => address !== "");
  const places = new Places();
  for (const [column, wanted] of [["vsock_cid", cids] as const, ["address", addresses] as const]) {
    if (wanted.length === 0) continue;
    const rows = await db
      .selectFrom("agents")
      .selectAll()
      .where(isLive)
      .where(hasPlace[column])
      .where(column, "in", wanted)
      .execute();
    for (const agent of rows.map(agentOf))
      if (agent.tenant !== itself?.tenant || agent.id !== itself.id) places.add(agent);
  }
  return places;
}
