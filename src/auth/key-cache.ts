import type { KeyRecord } from "../store/keys.ts";

/** Keys that were looked up lately. */
export interface KeyCache {
  /** The key, at most `maxAgeMs` old; undefined where there is none. Rejects as the lookup does. */
  find(id: string): Promise<KeyRecord | undefined>;
}

interface Entry {
  readonly at: number;
  readonly found: Promise<KeyRecord | undefined>;
}

/**
 * Makes a cache over a lookup that holds at most `most` keys; those that were used longest ago go first. Lookups of one key that
 * come together are one. What is not found, or failed, is not kept: made-up ids must not drive out real keys.
 */
export function createKeyCache(options: {
  readonly lookup: (id: string) => Promise<KeyRecord | undefined>;
  readonly most: number;
  readonly maxAgeMs: number;
  readonly now: () => number;
}): KeyCache {
  const entries = new Map<string, Entry>();
  const drop = (id: string, entry: Entry) => {
    if (entries.get(id) === entry) entries.delete(id);
  };
  return {
    find(id) {
      const now = options.now();
      const known = entries.get(id);
      entries.delete(id);
      const entry =
        known !== undefined && now - known.at < options.maxAgeMs
          ? known
          : { at: now, found: options.lookup(id) };
      entries.set(id, entry); // at the end: used last
      if (entries.size > options.most) entries.delete(entries.keys().next().value ?? id);
      if (entry !== known) {
        entry.found.then(
          (record) => record ?? drop(id, entry),
          () => drop(id, entry),
        );
      }
      return entry.found;
    },
  };
}
