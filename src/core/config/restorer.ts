import { backoffMs } from "../backoff.ts";
import type { AgentKey, ContextRecord, Store } from "../../store/store.ts";

/** A context entry that a guest did not take. */
export interface NotKept {
  readonly key: AgentKey;
  readonly entry: ContextRecord;
  /** What was before it. */
  readonly before: ContextRecord | undefined;
  /** True if the guest turned it down; otherwise another entry overtook it, or it has not reached the guest yet. */
  readonly refused: boolean;
  /** Called if the store was changed. */
  onRestored(): void;
}

/** Most entries that are remembered as not kept. */
const MAX_REMEMBERED = 1_024;
/** Attempts to put an entry back. */
const ATTEMPTS = 25;
/** Most entries that are put back behind their callers at the same time. */
const MAX_BEHIND = 1_024;

/** Takes back context entries that a guest refused. */
export class Restorer {
  readonly #store: Pick<Store, "restoreContext">;
  readonly #onGivenUp: (error: unknown, text: string) => void;
  /** What was before each entry that the guest did not take, by version: two refused in a row go back to before the first. */
  readonly #befores = new Map<string, ContextRecord | undefined>();
  #behind = 0;

  /** `onGivenUp` is told of an entry that could not be put back. */
  constructor(store: Pick<Store, "restoreContext">, onGivenUp: (error: unknown, text: string) => void) {
    this.#store = store;
    this.#onGivenUp = onGivenUp;
  }

  /**
   * An entry was not applied. If it was refused, what was before it is put back, unless another entry has taken its place. Resolves when
   * that is done; if the store does not answer, it is tried again behind the caller, for a minute or so. Never rejects.
   */
  async notKept(what: NotKept): Promise<void> {
    this.#remember(what);
    if (!what.refused) return;
    const error = await this.#restore(what);
    if (error !== undefined) void this.#restoreBehind(what, error);
  }

  #remember({ entry, before }: NotKept): void {
    this.#befores.delete(entry.version);
    this.#befores.set(entry.version, before);
    const [oldest] = this.#befores.keys();
    if (this.#befores.size > MAX_REMEMBERED && oldest !== undefined) this.#befores.delete(oldest);
  }

  #lastGood(before: ContextRecord | undefined): ContextRecord | undefined {
    let good = before;
    while (good !== undefined && this.#befores.has(good.version)) good = this.#befores.get(good.version);
    return good;
  }

  /** Undefined once it is done, even if there was nothing to do; otherwise what went wrong. */
  async #restore(what: NotKept): Promise<Error | undefined> {
    const { key, entry, before } = what;
    try {
      if (await this.#store.restoreContext(key, entry, this.#lastGood(before))) what.onRestored();
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error("the entry was not put back", { cause: error });
    }
  }

  async #restoreBehind(what: NotKept, first: Error): Promise<void> {
    let error: Error | undefined = first;
    if (this.#behind < MAX_BEHIND) {
      this.#behind++;
      for (let tries = 1; tries < ATTEMPTS && error !== undefined; tries++) {
        await sleep(backoffMs(tries));
        error = await this.#restore(what);
      }
      this.#behind--;
    }
    if (error === undefined) return;
    this.#onGivenUp(error, `agent ${what.key.id} refused a context entry, which could not be taken back`);
  }
}

/** Waits without keeping the process alive. */
function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
