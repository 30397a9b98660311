import type { AgentHandle } from "../../fleet/handle.ts";
import type { AgentKey } from "../../store/store.ts";
import { ValinorError } from "../errors.ts";
import { translate } from "../guest-errors.ts";
import type { CoreOptions } from "../options.ts";
import type { Caller } from "../types.ts";

/**
 * Finds a caller's agent. Throws or rejects with AGENT_NOT_FOUND if there is none, or if it belongs to another tenant; rejects with
 * STORE_UNAVAILABLE if the store can't be asked.
 */
export type FindAgent = (caller: Caller, agentId: string) => AgentHandle | Promise<AgentHandle>;

/** Makes the lookup: this process's fleet first, then the store, which may have an agent that another process has just created. */
export function createFindAgent({ fleet, store }: Pick<CoreOptions, "fleet" | "store">): FindAgent {
  async function seek(key: AgentKey): Promise<AgentHandle> {
    const metadata = { agent_id: key.id };
    const record = await store.getAgent(key).catch((error: unknown) => {
      throw translate(error).with(metadata);
    });
    if (record === undefined)
      throw new ValinorError("AGENT_NOT_FOUND", `there is no agent ${key.id}`, { metadata });
    // Somebody else may have brought a newer record meanwhile.
    return fleet.find(key) ?? fleet.update(record);
  }

  return (caller, agentId) => {
    const key = { tenant: caller.tenant, id: agentId };
    return fleet.find(key) ?? seek(key);
  };
}
