import { ValinorError } from "./errors.ts";
import type { Caller } from "./types.ts";
import type { Changes } from "./watch-changes.ts";

/** Milliseconds after which a refused watcher may find a place. */
const RETRY_MS = 5_000;

/** Every watcher of this process: how many there are, and an end for all of them. */
export interface Watchers {
  /** Takes a watcher in; the answer lets it go (twice is once). Throws LIMIT_EXCEEDED. */
  join(caller: Caller, changes: Changes): () => void;
}

/** How many there may be at once, and how often it is looked whether the server stops. */
export interface WatchersLimits {
  readonly all: number;
  /** Of one tenant. */
  readonly tenant: number;
  /** Of one of its credentials. */
  readonly credential: number;
  readonly drainMs: number;
}

/**
 * Counts watchers. While there are any, one timer for all of them looks every
 * `drainMs` whether the server is stopping, and wakes them then.
 */
export function createWatchers(limits: WatchersLimits, draining: () => boolean): Watchers {
  const present = new Set<Changes>();
  const counts = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    if (draining()) for (const changes of present) changes.wake();
  }

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
      timer ??= setInterval(look, limits.drainMs).unref();
      return () => {
        if (!present.delete(changes)) return;
        for (const name of [tenant, ofCredential]) giveBack(name);
        if (present.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
  };
}

function tooMany(who: string): ValinorError {
  return new ValinorError("LIMIT_EXCEEDED", `${who} watchers already`, { retryMs: RETRY_MS });
}
