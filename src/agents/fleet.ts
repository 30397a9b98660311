import type { AgentKey, AgentRecord, Store } from "../store/store.ts";
import { LinkError } from "../wire/errors.ts";
import { type AgentHandle, createHandle, type HandleOptions } from "./handle.ts";

/** What a watcher of the fleet is told. */
export interface FleetListener {
  /** Something about the agent has changed; look at its handle. */
  changed(id: string): void;
  removed(id: string): void;
  /** Changes may have been missed, and why: the store did not answer for a while. */
  resync(reason: string): void;
}

/** Every agent that this process serves. */
export interface Fleet {
  /** Takes up every agent of the store. */
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

const PAGE = 1_000;

/** Makes the fleet of a store's agents. */
export function createFleet(options: HandleOptions & { readonly store: Store }): Fleet {
  const handles = new Map<string, AgentHandle>();

  const fleet: Fleet = {
    async start() {
      let after: AgentKey | undefined;
      for (;;) {
        const page = await options.store.allAgents(
          after === undefined ? { limit: PAGE } : { after, limit: PAGE },
        );
        for (const record of page) fleet.add(record);
        after = page.at(-1);
        if (page.length < PAGE) return;
      }
    },
    find: (key) => handles.get(nameOf(key)),
    add(record) {
      fleet.remove(record);
      const handle = createHandle(record, options);
      handles.set(nameOf(record), handle);
      return handle;
    },
    remove(key) {
      const name = nameOf(key);
      handles.get(name)?.close(new LinkError("closed", "the agent was removed"));
      handles.delete(name);
    },
    counts() {
      let connected = 0;
      for (const handle of handles.values()) if (handle.link?.current !== undefined) connected++;
      return { agents: handles.size, connected };
    },
    close() {
      for (const handle of handles.values())
        handle.close(new LinkError("closed", "the control plane is stopping"));
      handles.clear();
    },
  };
  return fleet;
}

/** One name for both parts of a key; ids hold no slash. */
function nameOf(key: AgentKey): string {
  return `${key.id}/${key.tenant}`;
}
