import type { FleetListener } from "../../fleet/listeners.ts";
import { waitAtMost } from "../../link/backoff.ts";
import { monotonicNow } from "@valinor/protocol";

/** What a watcher has yet to be told: at most one entry an agent, however slow it is. */
export interface Changes extends FleetListener {
  /** Why everything is to be sent again; undefined where nothing was lost. */
  readonly lost: string | undefined;
  /** Milliseconds until the changes are due; undefined where there are none. */
  dueMs(): number | undefined;
  /** The agents that changed, once they are due; from then on they are no longer changed. */
  take(): string[];
  /** Forgets everything: what comes next is a new snapshot. */
  clear(): void;
  /** Resolves when a first change comes or changes are lost, at `wake`, after `ms`, or when the signal aborts. Never rejects. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** Wakes who waits. */
  wake(): void;
}

/** Collects changes: those that come within `gatherMs` are due as one, and more than `most` agents are given up as lost. */
export function createChanges(gatherMs: number, most: number): Changes {
  let ids = new Set<string>();
  let lost: string | undefined;
  let dueAt = 0;
  let wake: () => void = () => {};

  function note(id: string): void {
    if (lost !== undefined) return;
    if (ids.size === 0) {
      dueAt = monotonicNow() + gatherMs;
      wake();
    }
    ids.add(id);
    if (ids.size > most) lose("the watcher is too slow for the changes that came");
  }

  function lose(reason: string): void {
    ids = new Set();
    lost = reason;
    wake();
  }

  return {
    changed: note,
    removed: note,
    resync: lose,
    get lost() {
      return lost;
    },
    dueMs: () => (ids.size === 0 ? undefined : Math.max(0, dueAt - monotonicNow())),
    take() {
      const taken = [...ids];
      ids = new Set();
      return taken;
    },
    clear() {
      ids = new Set();
      lost = undefined;
    },
    wait(ms, signal) {
      if (lost !== undefined) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      return waitAtMost(promise, ms, signal);
    },
    wake: () => wake(),
  };
}
