import { limitExceeded } from "../errors.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Caller } from "../types.ts";
import type { Changes } from "./watch-changes.ts";

/** How many there may be at once. */
export interface WatchersLimits {
  readonly all: number;
  /** Of one tenant. */
  readonly tenant: number;
  /** Of one of its credentials. */
  readonly credential: number;
}

/** Every watcher of this process: how many there are, and a word to all of them when the server begins to drain. */
export class Watchers {
  readonly #limits: WatchersLimits;
  readonly #present = new Set<Changes>();
  readonly #counts = new Map<string, number>();

  constructor(limits: WatchersLimits, lifecycle: Lifecycle) {
    this.#limits = limits;
    lifecycle.on("draining", () => {
      for (const changes of this.#present) changes.wake();
    });
  }

  /** Takes a watcher in; the answer lets it go (twice is once). Throws LIMIT_EXCEEDED. */
  join({ tenant, credential, subject }: Caller, changes: Changes): () => void {
    const { all, tenant: ofTenant, credential: ofCredential } = this.#limits;
    const name = `${tenant}\0${credential}\0${subject}`;
    if (this.#count(name) >= ofCredential)
      throw limitExceeded(`this credential has ${ofCredential} watchers already`);
    if (this.#count(tenant) >= ofTenant) throw limitExceeded(`this tenant has ${ofTenant} watchers already`);
    if (this.#present.size >= all) throw limitExceeded(`this server has ${all} watchers already`);
    const names = [tenant, name];
    for (const counted of names) this.#counts.set(counted, this.#count(counted) + 1);
    this.#present.add(changes);
    return () => {
      if (this.#present.delete(changes)) for (const counted of names) this.#giveBack(counted);
    };
  }

  #count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  #giveBack(name: string): void {
    const left = this.#count(name) - 1;
    if (left > 0) this.#counts.set(name, left);
    else this.#counts.delete(name);
  }
}
