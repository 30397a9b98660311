import { setImmediate as nextTurn } from "node:timers/promises";
import type { AgentKey, AgentRecord } from "../store/store.ts";
import { createIntake } from "../link/intake.ts";
import { LinkError } from "@valinor/protocol";
import { type AgentHandle, createHandle, type HandleOptions } from "./handle.ts";
import { createRefresh } from "./refresh.ts";

/** What a watcher of the fleet is told. */
export interface FleetListener {
  /** Something about the agent has changed; look at its handle. */
  changed(id: string): void;
  removed(id: string): void;
  /** Changes may have been missed, and why: the store did not answer for a while. */
  resync(reason: string): void;
}

/** What a fleet is made of. */
export interface FleetOptions extends Omit<HandleOptions, "onChange" | "intake"> {
  /** How often the store is asked what other processes have changed, milliseconds; default 5,000. */
  readonly refreshMs?: number;
  /** The store stopped to answer, or answers again: told once for each, for logs. */
  readonly onStore?: (up: boolean, detail: string) => void;
}

/** Every agent that this process serves. */
export interface Fleet {
  /** Takes up every agent of the store, and from then on what other processes change there. Rejects where the store fails. */
  start(): Promise<void>;
  /** The agent, or undefined. */
  find(key: AgentKey): AgentHandle | undefined;
  /** Takes up an agent that was added to the store. */
  add(record: AgentRecord): AgentHandle;
  /** Drops an agent and its links. */
  remove(key: AgentKey): void;
  /** Takes over an agent's record as the store has it now: adds the agent where it is not served yet. */
  update(record: AgentRecord): AgentHandle;
  /** Every agent of a tenant. */
  ofTenant(tenant: string): AgentHandle[];
  /** Tells of every change of an agent of the tenant, until the answer is called. Listeners must not throw. */
  watch(tenant: string, listener: FleetListener): () => void;
  /** How many agents there are, and how many links are up. */
  counts(): { agents: number; connected: number };
  /** Drops all links. */
  close(): void;
}

/** A served agent, and the configuration revision of the record that it was last given. */
interface Entry {
  readonly handle: AgentHandle;
  revision: number;
}

const REFRESH_MS = 5_000;
const PAGE = 1_000;
/** Agents taken up in one turn of the event loop, so that a large fleet keeps nobody waiting. */
const TURN = 100;

/** Makes the fleet of a store's agents. */
export function createFleet(options: FleetOptions): Fleet {
  const { store } = options;
  const tenants = new Map<string, Map<string, Entry>>();
  const listeners = createListeners();
  let closed = false;

  const entryOf = (key: AgentKey) => tenants.get(key.tenant)?.get(key.id);
  const handleOptions: HandleOptions = { ...options, onChange, intake: createIntake() };
  const refresh = createRefresh({
    store,
    everyMs: options.refreshMs ?? REFRESH_MS,
    onStore: options.onStore,
    target: {
      recordOf: (key) => entryOf(key)?.handle.record,
      keys: () =>
        [...tenants.values()].flatMap((agents) => [...agents.values()].map((entry) => entry.handle.record)),
      update: (record) => void fleet.update(record),
      remove: (key) => fleet.remove(key),
      resync: (reason) => listeners.tellAll((listener) => listener.resync(reason)),
    },
  });

  function onChange(key: AgentKey): void {
    const entry = entryOf(key);
    if (entry === undefined) return;
    listeners.tell(key.tenant, (listener) => listener.changed(key.id));
    if (entry.handle.record.configRevision !== entry.revision) void reread(key, entry);
  }

  /** A new revision gives the agent's record another etag, which only the store knows. Never rejects. */
  async function reread(key: AgentKey, entry: Entry): Promise<void> {
    const before = entry.handle.record;
    entry.revision = before.configRevision;
    try {
      const record = await store.getAgent(key);
      const isNews = record !== undefined && record.configRevision >= before.configRevision;
      if (closed || entryOf(key) !== entry || entry.handle.record.etag !== before.etag) return;
      if (isNews) fleet.update(record);
    } catch {
      // The next refresh sees that the etag is another one.
    }
  }

  const fleet: Fleet = {
    async start() {
      let after: AgentKey | undefined;
      for (;;) {
        const page = await store.allAgents(after === undefined ? { limit: PAGE } : { after, limit: PAGE });
        for (const [index, record] of page.entries()) {
          if (closed) return;
          fleet.add(record);
          if (index % TURN === TURN - 1) await nextTurn();
        }
        after = page.at(-1);
        if (page.length < PAGE) break;
      }
      if (!closed) refresh.start();
    },
    find: (key) => entryOf(key)?.handle,
    add(record) {
      closeEntry(record);
      const handle = createHandle(record, handleOptions);
      let agents = tenants.get(record.tenant);
      if (agents === undefined) tenants.set(record.tenant, (agents = new Map()));
      agents.set(record.id, { handle, revision: record.configRevision });
      refresh.touch(record);
      listeners.tell(record.tenant, (listener) => listener.changed(record.id));
      return handle;
    },
    remove(key) {
      refresh.touch(key);
      if (closeEntry(key)) listeners.tell(key.tenant, (listener) => listener.removed(key.id));
    },
    update(record) {
      const entry = entryOf(record);
      if (entry === undefined) return fleet.add(record);
      refresh.touch(record);
      entry.revision = record.configRevision;
      entry.handle.update(record);
      listeners.tell(record.tenant, (listener) => listener.changed(record.id));
      return entry.handle;
    },
    ofTenant: (tenant) => [...(tenants.get(tenant)?.values() ?? [])].map((entry) => entry.handle),
    watch: (tenant, listener) => listeners.add(tenant, listener),
    counts() {
      let agents = 0;
      let connected = 0;
      for (const ofTenant of tenants.values()) {
        agents += ofTenant.size;
        for (const { handle } of ofTenant.values()) if (handle.link?.current !== undefined) connected++;
      }
      return { agents, connected };
    },
    close() {
      closed = true;
      refresh.stop();
      for (const agents of tenants.values())
        for (const { handle } of agents.values())
          handle.close(new LinkError("closed", "the control plane is stopping"));
      tenants.clear();
    },
  };

  /** True where there was one. */
  function closeEntry(key: AgentKey): boolean {
    const agents = tenants.get(key.tenant);
    const entry = agents?.get(key.id);
    if (agents === undefined || entry === undefined) return false;
    agents.delete(key.id);
    if (agents.size === 0) tenants.delete(key.tenant);
    entry.handle.close(new LinkError("closed", "the agent was removed"));
    return true;
  }

  return fleet;
}

/** Who is to be told of what, by tenant. */
function createListeners() {
  const byTenant = new Map<string, Set<FleetListener>>();
  return {
    add(tenant: string, listener: FleetListener): () => void {
      let set = byTenant.get(tenant);
      if (set === undefined) byTenant.set(tenant, (set = new Set()));
      set.add(listener);
      return () => {
        set.delete(listener);
        if (set.size === 0 && byTenant.get(tenant) === set) byTenant.delete(tenant);
      };
    },
    tell(tenant: string, what: (listener: FleetListener) => void): void {
      for (const listener of byTenant.get(tenant) ?? []) what(listener);
    },
    tellAll(what: (listener: FleetListener) => void): void {
      for (const set of byTenant.values()) for (const listener of set) what(listener);
    },
  };
}
