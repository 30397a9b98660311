import { setImmediate as nextTurn } from "node:timers/promises";
import type { JsonObject } from "@bufbuild/protobuf";
import { LinkError } from "@valinor/protocol";
import { createIntake } from "../link/intake.ts";
import { type AgentKey, type AgentRecord, type Store, StoreError } from "../store/store.ts";
import { type FleetListener, Listeners } from "./listeners.ts";
import { AgentHandle, type HandleOptions } from "./handle.ts";
import { Refresh, type RefreshTarget } from "./refresh.ts";
import { Requests } from "./requests.ts";
import type { UnexpectedErrors } from "./unexpected.ts";

/** What a fleet is made of. */
export interface FleetOptions extends Omit<HandleOptions, "onChange" | "intake" | "requests"> {
  readonly store: Store;
  /**
   * The secrets of a configuration in the open. Throws VaultError if it can't: the agent then stays `pending`, with the error's text as
   * reason.
   */
  openConfig(key: AgentKey, stored: JsonObject): JsonObject;
  /** How often the store is asked what other processes have changed, milliseconds; default 5,000. */
  readonly refreshMs?: number;
  /** The store stopped to answer, or answers again: told once for each, for logs. */
  readonly onStore?: (up: boolean, detail: string) => void;
  /** Takes errors that nobody expects. */
  readonly errors: UnexpectedErrors;
}

const REFRESH_MS = 5_000;
/** Agents of one look at the store. */
const PAGE_AGENTS = 1_000;
/** Agents taken up in one turn of the event loop, so that a large fleet keeps nobody waiting. */
const TURN_AGENTS = 100;

/** Every agent that this process serves. */
export class Fleet implements RefreshTarget {
  readonly #store: Store;
  readonly #errors: UnexpectedErrors;
  readonly #handleOptions: HandleOptions;
  readonly #refresh: Refresh;
  readonly #listeners = new Listeners();
  readonly #tenants = new Map<string, Map<string, AgentHandle>>();
  #isClosed = false;

  constructor(options: FleetOptions) {
    const { store, errors, refreshMs: everyMs = REFRESH_MS, onStore } = options;
    this.#store = store;
    this.#errors = errors;
    this.#handleOptions = {
      ...options,
      intake: createIntake(),
      requests: new Requests(options),
      onChange: (key) => this.#changed(key),
    };
    this.#refresh = new Refresh({ store, everyMs, onStore, errors, target: this });
  }

  /** Takes up every agent of the store, and from then on what other processes change there. Rejects if the store fails. */
  async start(): Promise<void> {
    let after: AgentKey | undefined;
    for (;;) {
      const limit = PAGE_AGENTS;
      const page = await this.#store.allAgents(after === undefined ? { limit } : { after, limit });
      for (const [index, record] of page.entries()) {
        if (this.#isClosed) return;
        this.add(record);
        if (index % TURN_AGENTS === TURN_AGENTS - 1) await nextTurn();
      }
      after = page.at(-1);
      if (page.length < limit) break;
    }
    if (!this.#isClosed) this.#refresh.start();
  }

  /** The agent, or undefined. */
  find(key: AgentKey): AgentHandle | undefined {
    return this.#tenants.get(key.tenant)?.get(key.id);
  }

  /** Takes up an agent that was added to the store. */
  add(record: AgentRecord): AgentHandle {
    this.#close(record);
    const handle = new AgentHandle(record, this.#handleOptions);
    let agents = this.#tenants.get(record.tenant);
    if (agents === undefined) this.#tenants.set(record.tenant, (agents = new Map()));
    agents.set(record.id, handle);
    this.#refresh.touch(record);
    this.#listeners.tell(record.tenant, (listener) => listener.changed(record.id));
    return handle;
  }

  /** Drops an agent and its link. */
  remove(key: AgentKey): void {
    this.#refresh.touch(key);
    if (this.#close(key)) this.#listeners.tell(key.tenant, (listener) => listener.removed(key.id));
  }

  /** Takes over an agent's record as the store has it now: adds the agent if it is not served yet. */
  update(record: AgentRecord): AgentHandle {
    const handle = this.find(record);
    if (handle === undefined) return this.add(record);
    this.#refresh.touch(record);
    handle.update(record);
    this.#listeners.tell(record.tenant, (listener) => listener.changed(record.id));
    return handle;
  }

  /** Every agent of a tenant. */
  ofTenant(tenant: string): AgentHandle[] {
    return [...(this.#tenants.get(tenant)?.values() ?? [])];
  }

  /** Tells of every change of an agent of the tenant, until the answer is called. Listeners must not throw. */
  watch(tenant: string, listener: FleetListener): () => void {
    return this.#listeners.add(tenant, listener);
  }

  /** How many agents there are, and how many links are up. */
  counts(): { agents: number; connected: number } {
    let agents = 0;
    let connected = 0;
    for (const { link } of this.#handles()) {
      agents++;
      if (link?.current !== undefined) connected++;
    }
    return { agents, connected };
  }

  /** Drops all links. */
  close(): void {
    this.#isClosed = true;
    this.#refresh.stop();
    for (const handle of this.#handles())
      handle.close(new LinkError("closed", "the control plane is stopping"));
    this.#tenants.clear();
  }

  /** The record of an agent that is served; undefined if it is not. */
  recordOf(key: AgentKey): AgentRecord | undefined {
    return this.find(key)?.record;
  }

  /** Every agent that is served. */
  keys(): AgentKey[] {
    return [...this.#handles()].map(({ record }) => record);
  }

  /** The store did not answer for a while, and does again: whoever watches may have missed something. */
  resync(reason: string): void {
    this.#listeners.tellAll((listener) => listener.resync(reason));
  }

  *#handles(): Generator<AgentHandle> {
    for (const agents of this.#tenants.values()) yield* agents.values();
  }

  #changed(key: AgentKey): void {
    const handle = this.find(key);
    if (handle === undefined) return;
    this.#listeners.tell(key.tenant, (listener) => listener.changed(key.id));
    if (handle.hasNewRevision()) void this.#reread(key, handle);
  }

  /** A new revision gives the agent's record another etag, which only the store knows. Never rejects. */
  async #reread(key: AgentKey, handle: AgentHandle): Promise<void> {
    const before = handle.record;
    try {
      const record = await this.#store.getAgent(key);
      if (this.#isClosed || this.find(key) !== handle || handle.record.etag !== before.etag) return;
      if (record !== undefined && record.configRevision >= before.configRevision) this.update(record);
    } catch (error) {
      // The next refresh sees that the etag is another one.
      if (error instanceof StoreError) return;
      const { tenant, id } = key;
      this.#errors.note("an agent's record could not be read again", error, { tenant, agent: id });
    }
  }

  /** True if there was one. */
  #close(key: AgentKey): boolean {
    const agents = this.#tenants.get(key.tenant);
    const handle = agents?.get(key.id);
    if (agents === undefined || handle === undefined) return false;
    agents.delete(key.id);
    if (agents.size === 0) this.#tenants.delete(key.tenant);
    handle.close(new LinkError("closed", "the agent was removed"));
    return true;
  }
}
