import { ValinorError } from "./errors.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Changes } from "./watch-changes.ts";

/** Milliseconds after which a refused watcher may find a place. */
const RETRY_MS = 5_000;

/** Every watcher of this process: how many there are, and an end for all of them. */
export interface Watchers {
  /** Takes a watcher in; the answer lets it go (twice is once). Throws LIMIT_EXCEEDED. */
  join(tenant: string, changes: Changes): () => void;
}

/** Counts watchers, `all` at most and `tenant` at most of one tenant, and wakes them when the server begins to drain. */
export function createWatchers(
  limits: { readonly all: number; readonly tenant: number },
  lifecycle: Lifecycle,
): Watchers {
  const present = new Set<Changes>();
  const counts = new Map<string, number>();
  lifecycle.on("draining", () => {
    for (const changes of present) changes.wake();
  });

  return {
    join(tenant, changes) {
      const count = counts.get(tenant) ?? 0;
      if (count >= limits.tenant) throw tooMany(`this tenant has ${limits.tenant}`);
      if (present.size >= limits.all) throw tooMany(`this server has ${limits.all}`);
      counts.set(tenant, count + 1);
      present.add(changes);
      return () => {
        if (!present.delete(changes)) return;
        const left = (counts.get(tenant) ?? 1) - 1;
        if (left > 0) counts.set(tenant, left);
        else counts.delete(tenant);
      };
    },
  };
}

function tooMany(who: string): ValinorError {
  return new ValinorError("LIMIT_EXCEEDED", `${who} watchers already`, { retryMs: RETRY_MS });
}
