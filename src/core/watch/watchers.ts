import { ValinorError } from "../errors.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Caller } from "../types.ts";
import type { Changes } from "./watch-changes.ts";

/** Milliseconds after which a refused watcher may find a place. */
const RETRY_MS = 5_000;

/** Every watcher of this process: how many there are, and an end for all of them. */
export interface Watchers {
  /** Takes a watcher in; the answer lets it go (twice is once). Throws LIMIT_EXCEEDED. */
  join(caller: Caller, changes: Changes): () => void;
}

/** How many there may be at once. */
export interface WatchersLimits {
  readonly all: number;
  /** Of one tenant. */
  readonly tenant: number;
  /** Of one of its credentials. */
  readonly credential: number;
}

/** Counts watchers, and wakes them when the server begins to drain. */
export function createWatchers(limits: WatchersLimits, lifecycle: Lifecycle): Watchers {
  const present = new Set<Changes>();
  const counts = new Map<string, number>();
  lifecycle.on("draining", () => {
    for (const changes of present) changes.wake();
  });

  const countOf = (name: string) => counts.get(name) ?? 0;

  function giveBack(name: string): void {
    const left = countOf(name) - 1;
    if (left > 0) counts.set(name, left);
    else counts.delete(name);
  }

  return {
    join({ tenant, credential, subject }, changes) {
      const ofCredential = `${tenant}\0${credential}\0${subject}`;
      if (countOf(ofCredential) >= limits.credential)
        throw tooMany(`this credential has ${limits.credential}`);
      if (countOf(tenant) >= limits.tenant) throw tooMany(`this tenant has ${limits.tenant}`);
      if (present.size >= limits.all) throw tooMany(`this server has ${limits.all}`);
      for (const name of [tenant, ofCredential]) counts.set(name, countOf(name) + 1);
      present.add(changes);
      return () => {
        if (!present.delete(changes)) return;
        for (const name of [tenant, ofCredential]) giveBack(name);
      };
    },
  };
}

function tooMany(who: string): ValinorError {
  return new ValinorError("LIMIT_EXCEEDED", `${who} watchers already`, { retryMs: RETRY_MS });
}
