import { setTimeout as sleep } from "node:timers/promises";
import type { UnexpectedErrors } from "../../fleet/unexpected.ts";
import { backoffMs } from "../../link/backoff.ts";
import { type AgentKey, type ContextRecord, type Store, StoreError } from "../../store/store.ts";

/** A context entry that a guest did not take. */
export interface NotKept {
  readonly key: AgentKey;
  readonly entry: ContextRecord;
  /** What was before it. */
  readonly before: ContextRecord | undefined;
  /** True if the guest turned it down; else another one overtook it, or it just is not there yet. */
  readonly refused: boolean;
  /** Called once the store was changed. */
  onRestored(): void;
}

/** Most entries that are remembered as not kept. */
const MOST_REMEMBERED = 1_024;
/** Attempts to put an entry back, and most that are under way behind their callers. */
const ATTEMPTS = 25;
const MOST_BEHIND = 1_024;

/** Takes back context entries that a guest refused. */
export class Restorer {
  readonly #store: Pick<Store, "restoreContext">;
  readonly #errors: UnexpectedErrors;
  /** What was before each entry that the guest did not take, by version: two refused in a row go back to before the first. */
  readonly #befores = new Map<string, ContextRecord | undefined>();
  #behind = 0;

  constructor(store: Pick<Store, "restoreContext">, errors: UnexpectedErrors) {
    this.#store = store;
    this.#errors = errors;
  }

  /**
   * An entry was not applied. If it was refused, what was before it is put back, unless another entry has taken its place. Resolves when
   * that is done; if the store does not answer it is tried again behind the caller, for a minute or so. Never rejects.
   */
  async notKept(what: NotKept): Promise<void> {
    this.#remember(what);
    if (!what.refused || (await this.#restore(what))) return;
    void this.#restoreBehind(what);
  }

  #remember({ entry, before }: NotKept): void {
    this.#befores.delete(entry.version);
    this.#befores.set(entry.version, before);
    const [oldest] = this.#befores.keys();
    if (this.#befores.size > MOST_REMEMBERED && oldest !== undefined) this.#befores.delete(oldest);
  }

  #lastGood(before: ContextRecord | undefined): ContextRecord | undefined {
    let good = before;
    while (good !== undefined && this.#befores.has(good.version)) good = this.#befores.get(good.version);
    return good;
  }

  /** True if it is done, also if there was nothing to do. */
  async #restore(what: NotKept): Promise<boolean> {
    const { key, entry, before } = what;
    try {
      if (await this.#store.restoreContext(key, entry, this.#lastGood(before))) what.onRestored();
      return true;
    } catch (error) {
      // A store that is away has that logged by itself, and it is tried again.
      if (!(error instanceof StoreError))
        this.#note("could not be taken back, and is tried again", what, error);
      return false;
    }
  }

  async #restoreBehind(what: NotKept): Promise<void> {
    if (this.#behind >= MOST_BEHIND)
      return this.#note("stays: too many wait to be taken back", what, new Error("no room"));
    this.#behind++;
    let isDone = false;
    for (let tries = 1; tries < ATTEMPTS && !isDone; tries++) {
      await sleep(backoffMs(tries), undefined, { ref: false });
      isDone = await this.#restore(what);
    }
    this.#behind--;
    if (!isDone) this.#note("stays: the store took back nothing", what, new Error(`tried ${ATTEMPTS} times`));
  }

  #note(how: string, { key: { tenant, id }, entry }: NotKept, error: unknown): void {
    const what = `a context entry that its agent refused ${how}`;
    this.#errors.note(what, error, { tenant, agent: id, entry: entry.key });
  }
}
