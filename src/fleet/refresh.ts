import { setImmediate as nextTurn } from "node:timers/promises";
import { type AgentKey, type AgentRecord, type Store, StoreError } from "../store/store.ts";

/** The fleet as the refresh sees it. */
export interface RefreshTarget {
  /** The record of an agent that is served; undefined where it is not. */
  recordOf(key: AgentKey): AgentRecord | undefined;
  /** Every agent that is served. */
  keys(): AgentKey[];
  update(record: AgentRecord): void;
  remove(key: AgentKey): void;
  /** The store did not answer for a while, and does again. */
  resync(reason: string): void;
}

/** Takes over what other processes change in the store, time and again. */
export interface Refresh {
  /** Begins; the first round comes after `everyMs`. */
  start(): void;
  /** This process has changed an agent by itself: what a round has read before is no news of it. */
  touch(key: AgentKey): void;
  /** Ends it; a round under way changes nothing any more. */
  stop(): void;
}

/** What a refresh needs. */
export interface RefreshOptions {
  readonly store: Pick<Store, "agentMarks" | "getAgent">;
  readonly target: RefreshTarget;
  /** Pause between two rounds, milliseconds. */
  readonly everyMs: number;
  /** The store stopped to answer, or answers again: told once for each. */
  readonly onStore?: ((up: boolean, detail: string) => void) | undefined;
}

const PAGE = 1_000;
/** Changes taken over in one turn of the event loop. */
const TURN = 100;

/** Makes the refresh. Its timer keeps no process alive. */
export function createRefresh(options: RefreshOptions): Refresh {
  const { store, target, everyMs } = options;
  const touched = new Set<string>();
  let stopped = false;
  let down = false;
  let timer: NodeJS.Timeout | undefined;

  function schedule(): void {
    if (stopped) return;
    timer = setTimeout(() => void run().then(schedule), everyMs);
    timer.unref();
  }

  /** Never rejects. The next round begins only after this one. */
  async function run(): Promise<void> {
    try {
      await round();
      if (stopped || !down) return;
      down = false;
      options.onStore?.(true, "the store answers again");
      target.resync("the store did not answer for a while");
    } catch (error) {
      if (stopped || down) return;
      down = true;
      options.onStore?.(false, StoreError.from(error).message);
    }
  }

  async function round(): Promise<void> {
    touched.clear();
    const seen = new Set<string>();
    let after: AgentKey | undefined;
    for (;;) {
      const marks = await store.agentMarks(after === undefined ? { limit: PAGE } : { after, limit: PAGE });
      if (stopped) return;
      for (const mark of marks) {
        seen.add(nameOf(mark));
        if (target.recordOf(mark)?.etag !== mark.etag) await takeOver(mark);
      }
      after = marks.at(-1);
      if (marks.length < PAGE) break;
      await nextTurn();
    }
    await dropGone(seen);
  }

  async function takeOver(key: AgentKey): Promise<void> {
    if (stopped || touched.has(nameOf(key))) return;
    const record = await store.getAgent(key);
    if (stopped || record === undefined || touched.has(nameOf(key))) return;
    if (isNews(record, target.recordOf(key))) target.update(record);
  }

  async function dropGone(seen: ReadonlySet<string>): Promise<void> {
    let dropped = 0;
    for (const key of target.keys()) {
      if (stopped) return;
      if (seen.has(nameOf(key)) || touched.has(nameOf(key))) continue;
      target.remove(key);
      if (++dropped % TURN === 0) await nextTurn();
    }
  }

  return {
    start: schedule,
    touch: (key) => void touched.add(nameOf(key)),
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
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
