import type { Config } from "./config.ts";
import { createQuota, type Quota } from "./core/access/quota.ts";
import { createGuard, type Guard } from "./http/guard/guard.ts";
import { createVault, type Vault } from "./store/vault/vault.ts";

/** A configuration that may be replaced while the server runs, and what is made of it. */
export class Live {
  #config: Config;
  #guard: Guard;
  #vault: Vault;
  #quota: Quota;

  constructor(config: Config) {
    this.#config = config;
    this.#guard = guardOf(config);
    this.#vault = createVault(config.secretKeys);
    this.#quota = createQuota(config.quotas);
  }

  /** The configuration that holds now. */
  get config(): Config {
    return this.#config;
  }

  /** Judges by the hosts and origins that hold now. */
  readonly guard: Guard = (req, res) => this.#guard(req, res);

  /** Seals and opens with the keys that hold now. */
  readonly vault: Vault = {
    seal: (agent, wanted, current) => this.#vault.seal(agent, wanted, current),
    open: (agent, stored) => this.#vault.open(agent, stored),
  };

  /** Counts by the bounds that hold now. */
  readonly quota: Quota = {
    request: (caller) => this.#quota.request(caller),
    run: (caller) => this.#quota.run(caller),
  };

  /** Takes another configuration. Runs that are read keep their place under the quotas before: new quotas count from now on. */
  replace(next: Config): void {
    this.#guard = guardOf(next);
    this.#vault = createVault(next.secretKeys);
    if (JSON.stringify(next.quotas) !== JSON.stringify(this.#config.quotas))
      this.#quota = createQuota(next.quotas);
    this.#config = next;
  }
}

function guardOf({ server, auth }: Config): Guard {
  return createGuard({
    allowedOrigins: server.allowedOrigins,
    allowedHosts: server.allowedHosts,
    loopbackOnly: !auth.required,
  });
}
