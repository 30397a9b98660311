import { ValinorError } from "../core/errors.ts";
import type { KeyRecord } from "../store/keys.ts";

/** Lookups at once of keys that were not found lately: anybody can make up ids, and the store has others to answer. */
const LOOKUPS = 4;
/** Most of them that wait, and how long each does, milliseconds. */
const WAITING = 256;
const WAIT_MS = 5_000;

/** Keys that were looked up lately. */
export interface KeyCache {
  /**
   * The key, at most `maxAgeMs` old; undefined if there is none. Rejects as the lookup does, and with AUTH_UNAVAILABLE if too many
   * keys that were not found lately are looked up.
   */
  find(id: string): Promise<KeyRecord | undefined>;
}

interface Entry {
  readonly at: number;
  readonly found: Promise<KeyRecord | undefined>;
  /** True if it was found before: it is looked up again without waiting behind keys that may not exist. */
  isKnown: boolean;
}

/**
 * Makes a cache over a lookup. It holds at most `most` keys, and drops first those that were used longest ago. Lookups of one key that
 * come together are one. What is not found, or failed, is not kept: made-up ids must not drive out real keys.
 */
export function createKeyCache(options: {
  readonly lookup: (id: string) => Promise<KeyRecord | undefined>;
  readonly most: number;
  readonly maxAgeMs: number;
  readonly now: () => number;
}): KeyCache {
  const entries = new Map<string, Entry>();
  const inTurn = createTurns();
  const drop = (id: string, entry: Entry) => {
    if (entries.get(id) === entry) entries.delete(id);
  };
  /** What is not found is not kept, and what is found is known from then on. */
  function settle(id: string, entry: Entry, record: KeyRecord | undefined): void {
    if (record === undefined) drop(id, entry);
    else entry.isKnown = true;
  }

  return {
    find(id) {
      const now = options.now();
      const known = entries.get(id);
      entries.delete(id);
      const entry =
        known !== undefined && now - known.at < options.maxAgeMs
          ? known
          : {
              at: now,
              found: known?.isKnown === true ? options.lookup(id) : inTurn(() => options.lookup(id)),
              isKnown: known?.isKnown ?? false,
            };
      entries.set(id, entry); // at the end: used last
      if (entries.size > options.most) entries.delete(entries.keys().next().value ?? id);
      if (entry !== known) {
        entry.found.then(
          (record) => settle(id, entry, record),
          () => drop(id, entry),
        );
      }
      return entry.found;
    },
  };
}

/** Makes what runs LOOKUPS lookups at once, the others one after the other. */
function createTurns(): <T>(lookup: () => Promise<T>) => Promise<T> {
  const waiting = new Set<() => void>();
  let running = 0;

  function turn(): Promise<void> {
    if (waiting.size >= WAITING) return Promise.reject(busy());
    return new Promise((resolve, reject) => {
      const begin = () => {
        clearTimeout(timer);
        waiting.delete(begin);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.delete(begin);
        reject(busy());
      }, WAIT_MS);
      waiting.add(begin);
    });
  }

  return async (lookup) => {
    if (running < LOOKUPS) running++;
    else await turn();
    try {
      return await lookup();
    } finally {
      // The next one takes its place.
      const [next] = waiting;
      if (next === undefined) running--;
      else next();
    }
  };
}

function busy(): ValinorError {
  return new ValinorError("AUTH_UNAVAILABLE", "too many keys are looked up now: try again");
}
