import { type AgentChanges, type AgentKey, type AgentRecord, StoreError } from "../../store/store.ts";
import { formatAddress, parseAddress } from "@valinor/protocol";
import { actorOf } from "../access/actor.ts";
import { ValinorError } from "../errors.ts";
import { parseFilter } from "./filter.ts";
import type { Gate } from "../access/gate.ts";
import { translate } from "../guest-errors.ts";
import type { CoreOptions } from "../options.ts";
import { createPageRoom } from "./page-bytes.ts";
import { decodePageToken, encodePageToken } from "./page-token.ts";
import type { AgentStatusView, Caller, Core } from "../types.ts";
import { viewOf } from "./views.ts";

/** Agents of a page where the client names no number. */
const PAGE = 100;
/** What an agent's id looks like. */
const AGENT_ID = /^[\w.-]{1,63}$/;

type RegistryCalls = Pick<Core, "createAgent" | "getAgent" | "listAgents" | "updateAgent" | "deleteAgent">;

/** The calls that keep the list of agents. The store has the word on which there are; the fleet is told of what changed. */
export function createRegistry(options: CoreOptions, gate: Gate): RegistryCalls {
  const { store, fleet } = options;
  const show = (record: AgentRecord): AgentStatusView => viewOf(record, fleet.find(record));

  /** The address as it is stored. Throws INVALID_ARGUMENT for one that is none, or that agents may not have. */
  function checkedAddress(text: string): string {
    const address = readAddress(text);
    if (address !== "") options.checkAddress(address);
    return address;
  }

  /** What the caller may change. An address or CID that stays as it is takes no permission. */
  async function allowedChanges(caller: Caller, key: AgentKey, wanted: AgentChanges): Promise<AgentChanges> {
    const { address, vsockCid, ...rest } = wanted;
    if (address === undefined && vsockCid === undefined) return rest;
    const current = await store.getAgent(key);
    if (current === undefined) throw new StoreError("not_found", `there is no agent ${key.id}`);
    const newAddress = address === undefined ? current.address : readAddress(address);
    if (newAddress === current.address && (vsockCid ?? current.vsockCid) === current.vsockCid) return rest;
    gate.allow(caller, "setAddress", key.id);
    return {
      ...rest,
      ...(address === undefined ? {} : { address: checkedAddress(address) }),
      ...(vsockCid === undefined ? {} : { vsockCid }),
    };
  }

  return {
    async createAgent(caller, input) {
      await gate.check(caller, "createAgent", input.id);
      if (input.address !== "" || input.vsockCid !== 0) gate.allow(caller, "setAddress", input.id);
      const { id, status, vsockCid } = input;
      const address = checkedAddress(input.address);
      return withAgent(id, async () => {
        const agent = { tenant: caller.tenant, id, status, vsockCid, address };
        const record = await store.createAgent(agent, actorOf(caller));
        return viewOf(record, fleet.add(record));
      });
    },

    async getAgent(caller, agentId) {
      await gate.check(caller, "getAgent", agentId);
      return withAgent(agentId, async () => {
        const record = await store.getAgent({ tenant: caller.tenant, id: agentId });
        if (record === undefined) throw new StoreError("not_found", `there is no agent ${agentId}`);
        return show(record);
      });
    },

    async listAgents(caller, input) {
      await gate.check(caller, "listAgents");
      const filter = parseFilter(input.filter);
      const scope = `agents ${JSON.stringify(filter)}`;
      const afterId = decodePageToken(scope, input.pageToken, AGENT_ID);
      const limit = input.pageSize === 0 ? PAGE : input.pageSize;
      const agents = await store
        .listAgents(caller.tenant, { afterId, limit: limit + 1, filter })
        .catch((error: unknown) => {
          throw translate(error);
        });
      const page = fitting(agents.slice(0, limit).map(show));
      const last = page.at(-1);
      const more = agents.length > page.length && last !== undefined;
      return { agents: page, nextPageToken: more ? encodePageToken(scope, last.agent.id) : "" };
    },

    async updateAgent(caller, { agentId, changes, etag }) {
      await gate.check(caller, "updateAgent", agentId);
      const key = { tenant: caller.tenant, id: agentId };
      return withAgent(agentId, async () => {
        const allowed = await allowedChanges(caller, key, changes);
        const record = await store.updateAgent(key, allowed, etag, actorOf(caller));
        return viewOf(record, fleet.update(record));
      });
    },

    async deleteAgent(caller, agentId) {
      await gate.check(caller, "deleteAgent", agentId);
      const key = { tenant: caller.tenant, id: agentId };
      return withAgent(agentId, async () => {
        const existed = await store.deleteAgent(key, actorOf(caller));
        fleet.remove(key);
        if (!existed) throw new StoreError("not_found", `there is no agent ${agentId}`);
      });
    },
  };
}

/** As many as may be sent in one page: what guests say of themselves is theirs to make long. */
function fitting(views: readonly AgentStatusView[]): readonly AgentStatusView[] {
  const room = createPageRoom();
  const end = views.findIndex((view) => !room.take(view));
  return end < 0 ? views : views.slice(0, end);
}

/** Makes errors name the agent. */
async function withAgent<T>(agentId: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw translate(error).with({ agent_id: agentId });
  }
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
