import type { ContextEntry, Desired, DesiredConfig } from "./facts.ts";

const NO_CONTEXTS: readonly ContextEntry[] = [];

/** What one agent is to have, as far as it is known without asking the store. */
export class DesiredCopy {
  #config: DesiredConfig | undefined;
  #contexts = NO_CONTEXTS;
  #isStale = true;
  #revision = 0;

  /** Latest revision of the configuration that is known; 0 before the first look. */
  get revision(): number {
    return this.#revision;
  }

  /** The latest configuration; undefined if no copy is held. */
  get config(): DesiredConfig | undefined {
    return this.#config;
  }

  /** What is to be there; undefined if the store has to be asked. */
  get current(): Desired | undefined {
    return this.#isStale || this.#config === undefined
      ? undefined
      : { config: this.#config, contexts: this.#contexts };
  }

  /** The store is being asked: what changes from now on makes it stale again. */
  asking(): void {
    this.#isStale = false;
  }

  /** The store's answer. A configuration that was stored after it was read stays. */
  loaded({ config, contexts }: Desired): Desired {
    this.#contexts = contexts;
    return { config: this.stored(config), contexts };
  }

  /** A configuration was stored; an older one than is known changes nothing. Answers the one that is current. */
  stored(config: DesiredConfig): DesiredConfig {
    const known = this.#config;
    if (known !== undefined && config.record.revision < known.record.revision) return known;
    this.#config = config;
    this.#revision = Math.max(this.#revision, config.record.revision);
    return config;
  }

  /** The store may hold something else. */
  stale(): void {
    this.#isStale = true;
  }

  /** It is not needed for now: an agent at rest holds no copy. */
  drop(): void {
    this.#config = undefined;
    this.#contexts = NO_CONTEXTS;
    this.#isStale = true;
  }

  /** Recreated under the same id: its revisions count from 1 again. */
  forget(): void {
    this.drop();
    this.#revision = 0;
  }
}
