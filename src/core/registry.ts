import type { AgentHandle } from "../agents/handle.ts";
import { formatAddress, parseAddress } from "../transport/address.ts";
import type { CoreOptions } from "./options.ts";
import { ValinorError } from "./errors.ts";
import type { Gate } from "./gate.ts";
import { translate } from "./guest-errors.ts";
import type { AgentPage, Caller, Core } from "./types.ts";

const PAGE = 100;

type RegistryCalls = Pick<Core, "createAgent" | "getAgent" | "listAgents" | "deleteAgent">;

/** The calls that keep the list of agents. */
export function createRegistry(
  options: CoreOptions,
  find: (caller: Caller, agentId: string) => AgentHandle,
  gate: Gate,
): RegistryCalls {
  const { store, fleet } = options;
  return {
    async createAgent(caller, input) {
      await gate.check(caller, "createAgent", input.id);
      if (input.address !== "" || input.vsockCid !== 0) gate.allow(caller, "setAddress", input.id);
      const address = readAddress(input.address);
      if (address !== "") options.checkAddress(address);
      try {
        const record = await store.createAgent({ tenant: caller.tenant, ...input, address }, caller.subject);
        fleet.add(record);
        return record;
      } catch (error) {
        throw translate(error).with({ agent_id: input.id });
      }
    },

    async getAgent(caller, agentId) {
      await gate.check(caller, "getAgent", agentId);
      const record = await store.getAgent(find(caller, agentId).record).catch((error: unknown) => {
        throw translate(error);
      });
      if (record === undefined) throw new ValinorError("AGENT_NOT_FOUND", `there is no agent ${agentId}`);
      return record;
    },

    async listAgents(caller, input): Promise<AgentPage> {
      await gate.check(caller, "listAgents");
      if (input.filter !== "") throw new ValinorError("UNIMPLEMENTED", "filters come with a later release");
      const limit = input.pageSize === 0 ? PAGE : input.pageSize;
      const afterId = decodeToken(input.pageToken);
      const agents = await store
        .listAgents(caller.tenant, { afterId, limit: limit + 1 })
        .catch((error: unknown) => {
          throw translate(error);
        });
      const page = agents.slice(0, limit);
      const last = page.at(-1);
      const more = agents.length > limit && last !== undefined;
      return { agents: page, nextPageToken: more ? Buffer.from(last.id).toString("base64url") : "" };
    },

    async deleteAgent(caller, agentId) {
      await gate.check(caller, "deleteAgent", agentId);
      const { record } = find(caller, agentId);
      try {
        await store.deleteAgent(record);
      } catch (error) {
        throw translate(error).with({ agent_id: agentId });
      }
      fleet.remove(record);
    },
  };
}

/** The one way to write an address, so that two agents can't have the same one; empty stays empty. */
function readAddress(text: string): string {
  if (text === "") return "";
  try {
    return formatAddress(parseAddress(text));
  } catch (error) {
    throw new ValinorError(
      "INVALID_ARGUMENT",
      error instanceof Error ? error.message : "the address is none",
      { cause: error },
    );
  }
}

/** A page token is the last id of the page before, in base64url. */
function decodeToken(token: string): string {
  const id = Buffer.from(token, "base64url").toString();
  if (token !== "" && Buffer.from(id).toString("base64url") !== token) {
    throw new ValinorError("INVALID_ARGUMENT", "page_token is not one of this list");
  }
  return id;
}
