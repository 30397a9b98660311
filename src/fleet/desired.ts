import type { ConfigRecord, ContextRecord } from "../store/store.ts";

/** What an agent is to have, as the store holds it. */
export interface Desired {
  readonly config: ConfigRecord;
  readonly contexts: readonly ContextRecord[];
}

/** What one agent is to have, as far as this process knows; looked up where that may have changed. */
export interface DesiredState {
  /** Revision of the latest configuration that is known; 0 before the first look. */
  readonly revision: number;
  /** What is to be there: looked up in the store where it is not known. Rejects where the store fails. */
  get(): Promise<Desired>;
  /** A configuration was stored; an older one than is known changes nothing. */
  stored(config: ConfigRecord): void;
  /** The store may hold something else: the next `get` looks. */
  stale(): void;
  /** The agent is another one of the same name. */
  forget(): void;
}

/** Makes what one agent is to have. `load` reads the store. */
export function createDesired(load: () => Promise<Desired>): DesiredState {
  let config: ConfigRecord | undefined;
  let contexts: readonly ContextRecord[] = [];
  let isStale = true;
  let lives = 0;

  function take(found: ConfigRecord): ConfigRecord {
    // Read before what is known was written.
    if (config !== undefined && found.revision < config.revision) return config;
    return (config = found);
  }

  return {
    get revision() {
      return config?.revision ?? 0;
    },
    async get() {
      if (!isStale && config !== undefined) return { config, contexts };
      isStale = false;
      const life = lives;
      try {
        const loaded = await load();
        if (life !== lives) throw new Error("the agent was replaced meanwhile");
        contexts = loaded.contexts;
        return { config: take(loaded.config), contexts };
      } catch (error) {
        isStale = true;
        throw error;
      }
    },
    stored: (found) => void take(found),
    stale() {
      isStale = true;
    },
    forget() {
      config = undefined;
      contexts = [];
      isStale = true;
      lives++;
    },
  };
}
