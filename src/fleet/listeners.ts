/** What a watcher of the fleet is told. */
export interface FleetListener {
  /** Something about the agent has changed; look at its handle. */
  changed(id: string): void;
  removed(id: string): void;
  /** Changes may have been missed, and why: the store did not answer for a while. */
  resync(reason: string): void;
}

/** Who is to be told of what, by tenant. */
export class Listeners {
  readonly #byTenant = new Map<string, Set<FleetListener>>();

  /** Adds one, until the answer is called. */
  add(tenant: string, listener: FleetListener): () => void {
    let set = this.#byTenant.get(tenant);
    if (set === undefined) this.#byTenant.set(tenant, (set = new Set()));
    set.add(listener);
    return () => this.#remove(tenant, listener);
  }

  /** Calls `what` with each one of a tenant. */
  tell(tenant: string, what: (listener: FleetListener) => void): void {
    for (const listener of this.#byTenant.get(tenant) ?? []) what(listener);
  }

  /** Calls `what` with each one of every tenant. */
  tellAll(what: (listener: FleetListener) => void): void {
    for (const set of this.#byTenant.values()) for (const listener of set) what(listener);
  }

  #remove(tenant: string, listener: FleetListener): void {
    const set = this.#byTenant.get(tenant);
    set?.delete(listener);
    if (set?.size === 0) this.#byTenant.delete(tenant);
  }
}
