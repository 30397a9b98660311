import type { FleetListener } from "../../fleet/listeners.ts";
import { waitAtMost } from "../../waits/waits.ts";
import { monotonicNow } from "@valinor/protocol";

/** What a watcher has yet to be told: at most one entry an agent, however slow the watcher is. */
export class Changes implements FleetListener {
  readonly #gatherMs: number;
  readonly #maxAgents: number;
  readonly #now: () => number;
  #ids = new Set<string>();
  #lost: string | undefined;
  #dueAt = 0;
  #wake: () => void = () => {};

  /** Changes that come within `gatherMs` are due as one; if more than `maxAgents` agents change, all changes are given up as lost. `now`: monotonic milliseconds. */
  constructor(gatherMs: number, maxAgents: number, now: () => number = monotonicNow) {
    this.#now = now;
    this.#gatherMs = gatherMs;
    this.#maxAgents = maxAgents;
  }

  /** FleetListener.changed. */
  changed(id: string): void {
    this.#note(id);
  }

  /** FleetListener.removed. */
  removed(id: string): void {
    this.#note(id);
  }

  /** FleetListener.resync: gives the changes up as lost. */
  resync(reason: string): void {
    this.#ids = new Set();
    this.#lost = reason;
    this.#wake();
  }

  /** Why everything is to be sent again; undefined if nothing was lost. */
  get lost(): string | undefined {
    return this.#lost;
  }

  /** Milliseconds until the changes are due; undefined if there are none. */
  dueMs(): number | undefined {
    return this.#ids.size === 0 ? undefined : Math.max(0, this.#dueAt - this.#now());
  }

  /** The agents that changed, once they are due; from then on they no longer count as changed. */
  take(): string[] {
    const taken = [...this.#ids];
    this.#ids = new Set();
    return taken;
  }

  /** Forgets everything: what comes next is a new snapshot. */
  clear(): void {
    this.#ids = new Set();
    this.#lost = undefined;
  }

  /** Resolves when a first change comes, when changes are lost, at `wake`, after `ms`, or when the signal aborts. Never rejects. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#lost !== undefined) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return waitAtMost(promise, ms, signal);
  }

  /** Wakes whoever waits. */
  wake(): void {
    this.#wake();
  }

  #note(id: string): void {
    if (this.#lost !== undefined) return;
    if (this.#ids.size === 0) {
      this.#dueAt = this.#now() + this.#gatherMs;
      this.#wake();
    }
    this.#ids.add(id);
    if (this.#ids.size > this.#maxAgents) this.resync("the watcher is too slow for the changes that came");
  }
}
