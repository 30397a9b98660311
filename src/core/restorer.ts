import type { AgentKey, ContextRecord, Store } from "../store/store.ts";

/** Takes back context entries that a guest refused. */
export interface Restorer {
  /**
   * An entry was not applied. Where it was refused, what was before it is put back, unless another entry has taken its place.
   * Resolves with whether the store was changed. Rejects with StoreError.
   */
  notKept(
    key: AgentKey,
    entry: ContextRecord,
    before: ContextRecord | undefined,
    refused: boolean,
  ): Promise<boolean>;
}

/** Most entries that are remembered as not kept. */
const MOST = 1_024;

/** Makes the restorer of a store. */
export function createRestorer(store: Pick<Store, "restoreContext">): Restorer {
  /** What was before each entry that the guest did not take, by version: two refused in a row go back to before the first. */
  const befores = new Map<string, ContextRecord | undefined>();

  function lastGood(before: ContextRecord | undefined): ContextRecord | undefined {
    let good = before;
    while (good !== undefined && befores.has(good.version)) good = befores.get(good.version);
    return good;
  }

  return {
    async notKept(key, entry, before, refused) {
      befores.delete(entry.version);
      befores.set(entry.version, before);
      const [oldest] = befores.keys();
      if (befores.size > MOST && oldest !== undefined) befores.delete(oldest);
      return refused && store.restoreContext(key, entry, lastGood(before));
    },
  };
}
