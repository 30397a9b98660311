import { setImmediate as nextTurn } from "node:timers/promises";
import { type AgentKey, type AgentMark, type AgentRecord, type Store, StoreError } from "../store/store.ts";
import type { UnexpectedErrors } from "./unexpected.ts";

/** The fleet as the refresh sees it. */
export interface RefreshTarget {
  /** The record of an agent that is served; undefined if it is not. */
  recordOf(key: AgentKey): AgentRecord | undefined;
  /** Every agent that is served. */
  keys(): AgentKey[];
  update(record: AgentRecord): void;
  remove(key: AgentKey): void;
  /** The store did not answer for a while, and does again. */
  resync(reason: string): void;
}

/** What a refresh needs. */
export interface RefreshOptions {
  readonly store: Pick<Store, "agentMarks" | "getAgent">;
  readonly target: RefreshTarget;
  /** Pause between two rounds, milliseconds. */
  readonly everyMs: number;
  /** The store stopped to answer, or answers again: told once for each. */
  readonly onStore?: ((up: boolean, detail: string) => void) | undefined;
  readonly errors: UnexpectedErrors;
}

/** Marks of one look at the store. */
const PAGE_MARKS = 1_000;
/** Changes taken over in one turn of the event loop. */
const TURN_CHANGES = 100;

/** Takes over what other processes change in the store, time and again. Its timer keeps no process alive. */
export class Refresh {
  readonly #options: RefreshOptions;
  /** What this process changed by itself since the round under way began. */
  readonly #touched = new Set<string>();
  #isStopped = false;
  #isDown = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RefreshOptions) {
    this.#options = options;
  }

  /** Begins; the first round comes after `everyMs`, and each further one so long after the end of the one before. */
  start(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => void this.#run().then(() => this.start()), this.#options.everyMs);
    this.#timer.unref();
  }

  /** This process has changed an agent by itself: what a round has read before is no news of it. */
  touch(key: AgentKey): void {
    this.#touched.add(nameOf(key));
  }

  /** Ends it; a round under way changes nothing any more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { onStore, target } = this.#options;
    try {
      await this.#round();
      if (this.#isStopped || !this.#isDown) return;
      this.#isDown = false;
      onStore?.(true, "the store answers again");
      target.resync("the store did not answer for a while");
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#isStopped) return;
    const isExpected = error instanceof StoreError;
    if (!isExpected) this.#options.errors.note("the fleet could not be compared with the store", error);
    if (this.#isDown) return;
    this.#isDown = true;
    this.#options.onStore?.(false, StoreError.from(error).message);
  }

  async #round(): Promise<void> {
    const { store } = this.#options;
    this.#touched.clear();
    const seen = new Set<string>();
    let after: AgentKey | undefined;
    for (;;) {
      const limit = PAGE_MARKS;
      const marks = await store.agentMarks(after === undefined ? { limit } : { after, limit });
      if (this.#isStopped) return;
      await this.#takeOverAll(marks, seen);
      after = marks.at(-1);
      if (marks.length < limit) break;
      await nextTurn();
    }
    await this.#dropGone(seen);
  }

  async #takeOverAll(marks: readonly AgentMark[], seen: Set<string>): Promise<void> {
    for (const mark of marks) {
      seen.add(nameOf(mark));
      if (this.#options.target.recordOf(mark)?.etag !== mark.etag) await this.#takeOver(mark);
    }
  }

  async #takeOver(key: AgentKey): Promise<void> {
    const { store, target } = this.#options;
    if (this.#isStopped || this.#touched.has(nameOf(key))) return;
    const record = await store.getAgent(key);
    if (this.#isStopped || record === undefined || this.#touched.has(nameOf(key))) return;
    if (isNews(record, target.recordOf(key))) target.update(record);
  }

  async #dropGone(seen: ReadonlySet<string>): Promise<void> {
    const { target } = this.#options;
    let dropped = 0;
    for (const key of target.keys()) {
      if (this.#isStopped) return;
      if (seen.has(nameOf(key)) || this.#touched.has(nameOf(key))) continue;
      target.remove(key);
      if (++dropped % TURN_CHANGES === 0) await nextTurn();
    }
  }
}

/** False for what was read before this process stored a revision: the next round reads it again. */
function isNews(record: AgentRecord, served: AgentRecord | undefined): boolean {
  if (served === undefined) return true;
  const isSameLife = record.createTime.getTime() === served.createTime.getTime();
  return record.etag !== served.etag && !(isSameLife && record.configRevision < served.configRevision);
}

/** One name for both parts of a key; ids hold no slash. */
function nameOf(key: AgentKey): string {
  return `${key.id}/${key.tenant}`;
}
