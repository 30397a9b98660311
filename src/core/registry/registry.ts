import { type AgentChanges, type AgentKey, type AgentRecord, StoreError } from "../../store/store.ts";
import { formatAddress, parseAddress, isAgentId } from "@valinor/protocol";
import { actorOf } from "../access/authorize.ts";
import { ValinorError } from "../errors.ts";
import { parseFilter } from "./filter.ts";
import type { Gate } from "../access/gate.ts";
import { translate } from "../guest-errors.ts";
import type { CoreOptions } from "../options.ts";
import { createPageRoom } from "./page-bytes.ts";
import { decodePageToken, encodePageToken } from "./page-token.ts";
import type { CreateAgentInput, ListAgentsInput, UpdateAgentInput } from "../inputs.ts";
import type { AgentPage, AgentStatusView, Caller } from "../types.ts";
import { viewOf } from "./views.ts";

/** Agents of a page unless the client names another number. */
const DEFAULT_PAGE_SIZE = 100;

/** The calls that keep the list of agents. The store decides which agents there are; the fleet is told of what changed. */
export class RegistryCalls {
  readonly #options: Pick<CoreOptions, "store" | "fleet" | "checkAddress">;
  readonly #gate: Gate;

  constructor(options: Pick<CoreOptions, "store" | "fleet" | "checkAddress">, gate: Gate) {
    this.#options = options;
    this.#gate = gate;
  }

  /** Core.createAgent. */
  async createAgent(caller: Caller, input: CreateAgentInput): Promise<AgentStatusView> {
    const { id, status, vsockCid } = input;
    await this.#gate.check(caller, "createAgent", id);
    if (input.address !== "" || vsockCid !== 0) this.#gate.allow(caller, "setAddress", id);
    const address = this.#checkedAddress(input.address);
    return withAgent(id, async () => {
      const { store, fleet } = this.#options;
      const agent = { tenant: caller.tenant, id, status, vsockCid, address };
      const record = await store.createAgent(agent, actorOf(caller));
      return viewOf(record, fleet.add(record));
    });
  }

  /** Core.getAgent. */
  async getAgent(caller: Caller, agentId: string): Promise<AgentStatusView> {
    await this.#gate.check(caller, "getAgent", agentId);
    return withAgent(agentId, async () => {
      const record = await this.#options.store.getAgent({ tenant: caller.tenant, id: agentId });
      if (record === undefined) throw notFound(agentId);
      return this.#show(record);
    });
  }

  /** Core.listAgents. */
  async listAgents(caller: Caller, input: ListAgentsInput): Promise<AgentPage> {
    await this.#gate.check(caller, "listAgents");
    const filter = parseFilter(input.filter);
    const scope = `agents ${JSON.stringify(filter)}`;
    const afterId = decodePageToken(scope, input.pageToken, isAgentId);
    const limit = input.pageSize === 0 ? DEFAULT_PAGE_SIZE : input.pageSize;
    const agents = await this.#options.store
      .listAgents(caller.tenant, { afterId, limit: limit + 1, filter })
      .catch((error: unknown) => {
        throw translate(error);
      });
    const page = fitting(agents.slice(0, limit).map((record) => this.#show(record)));
    const last = page.at(-1);
    const more = agents.length > page.length && last !== undefined;
    return { agents: page, nextPageToken: more ? encodePageToken(scope, last.agent.id) : "" };
  }

  /** Core.updateAgent. */
  async updateAgent(caller: Caller, { agentId, changes, etag }: UpdateAgentInput): Promise<AgentStatusView> {
    await this.#gate.check(caller, "updateAgent", agentId);
    const key = { tenant: caller.tenant, id: agentId };
    return withAgent(agentId, async () => {
      const { store, fleet } = this.#options;
      const allowed = await this.#allowedChanges(caller, key, changes);
      const record = await store.updateAgent(key, allowed, etag, actorOf(caller));
      return viewOf(record, fleet.update(record));
    });
  }

  /** Core.deleteAgent. */
  async deleteAgent(caller: Caller, agentId: string): Promise<void> {
    await this.#gate.check(caller, "deleteAgent", agentId);
    const key = { tenant: caller.tenant, id: agentId };
    return withAgent(agentId, async () => {
      const { store, fleet } = this.#options;
      const existed = await store.deleteAgent(key, actorOf(caller));
      fleet.remove(key);
      if (!existed) throw notFound(agentId);
    });
  }

  #show(record: AgentRecord): AgentStatusView {
    return viewOf(record, this.#options.fleet.find(record));
  }

  /** The address as it is stored. Throws INVALID_ARGUMENT for text that is no address, and for an address that agents may not have. */
  #checkedAddress(text: string): string {
    const address = readAddress(text);
    if (address !== "") this.#options.checkAddress(address);
    return address;
  }

  /** What the caller may change. An address or CID that stays as it is takes no permission. */
  async #allowedChanges(caller: Caller, key: AgentKey, wanted: AgentChanges): Promise<AgentChanges> {
    const { address, vsockCid, ...rest } = wanted;
    if (address === undefined && vsockCid === undefined) return rest;
    const current = await this.#options.store.getAgent(key);
    if (current === undefined) throw notFound(key.id);
    const newAddress = address === undefined ? current.address : readAddress(address);
    if (newAddress === current.address && (vsockCid ?? current.vsockCid) === current.vsockCid) return rest;
    this.#gate.allow(caller, "setAddress", key.id);
    return {
      ...rest,
      ...(address === undefined ? {} : { address: this.#checkedAddress(address) }),
      ...(vsockCid === undefined ? {} : { vsockCid }),
    };
  }
}

function notFound(agentId: string): StoreError {
  return new StoreError("not_found", `there is no agent ${agentId}`);
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
      error instanceof Error ? error.message : "this is not an address",
      { cause: error },
    );
  }
}
