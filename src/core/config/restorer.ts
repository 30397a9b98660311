import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "../../link/backoff.ts";
import type { AgentKey, ContextRecord, Store } from "../../store/store.ts";

/** A context entry that a guest did not take. */
export interface NotKept {
  readonly key: AgentKey;
  readonly entry: ContextRecord;
  /** What was before it. */
  readonly before: ContextRecord | undefined;
  /** True where the guest turned it down; else another one overtook it, or it just is not there yet. */
  readonly refused: boolean;
  /** Called where the store was changed. */
  onRestored(): void;
}

/** Takes back context entries that a guest refused. */
export interface Restorer {
  /**
   * An entry was not applied. Where it was refused, what was before it is put back, unless another entry has taken its place.
   * Resolves when that is done; where the store does not answer it is tried again behind the caller, for a minute or so. Never rejects.
   */
  notKept(what: NotKept): Promise<void>;
}

/** Most entries that are remembered as not kept. */
const MOST = 1_024;
/** Attempts to put an entry back, and most that are under way behind their callers. */
const ATTEMPTS = 25;
const MOST_BEHIND = 1_024;

/** Makes the restorer of a store. */
export function createRestorer(store: Pick<Store, "restoreContext">): Restorer {
  /** What was before each entry that the guest did not take, by version: two refused in a row go back to before the first. */
  const befores = new Map<string, ContextRecord | undefined>();
  let behind = 0;

  function lastGood(before: ContextRecord | undefined): ContextRecord | undefined {
    let good = before;
    while (good !== undefined && befores.has(good.version)) good = befores.get(good.version);
    return good;
  }

  function remember({ entry, before }: NotKept): void {
    befores.delete(entry.version);
    befores.set(entry.version, before);
    const [oldest] = befores.keys();
    if (befores.size > MOST && oldest !== undefined) befores.delete(oldest);
  }

  /** True where it is done, be it that there was nothing to do. */
  async function restore(what: NotKept): Promise<boolean> {
    const { key, entry, before } = what;
    try {
      if (await store.restoreContext(key, entry, lastGood(before))) what.onRestored();
      return true;
    } catch {
      return false;
    }
  }

  async function restoreBehind(what: NotKept): Promise<void> {
    if (behind >= MOST_BEHIND) return;
    behind++;
    for (let tries = 1; tries < ATTEMPTS; tries++) {
      await sleep(backoffMs(tries), undefined, { ref: false });
      if (await restore(what)) break;
    }
    behind--;
  }

  return {
    async notKept(what) {
      remember(what);
      if (!what.refused || (await restore(what))) return;
      void restoreBehind(what);
    },
  };
}
