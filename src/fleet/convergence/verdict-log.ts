import type { ConfigVerdict } from "../../store/store.ts";
import type { VerdictEntry } from "./facts.ts";
import type { ConvergenceOutput } from "./output.ts";

/** Most verdicts that wait; the oldest goes for a new one. */
const MOST = 16;

/**
 * Further verdicts on a revision that are written at once, and the time after which there is room for one more, milliseconds: each is a
 * row in the audit log, and a guest that comes back as another boot all the time has another one each time.
 */
const BURST = 16;
const EVERY_MS = 10_000;

/** Has written down what a guest said of its configurations, behind the pushes: nobody waits for it. */
export class VerdictLog {
  readonly #output: Pick<ConvergenceOutput, "record">;
  #waiting: readonly VerdictEntry[] = NONE;
  #writing: VerdictEntry | undefined;
  #last: VerdictEntry | undefined;
  /** Highest revision that a verdict was written on. */
  #judged = 0;
  #room = BURST;
  #roomAt: number | undefined;
  #wakeAt: number | undefined;

  /** `record` of the output begins to write one; `recorded` or `failed` is called once that is over. */
  constructor(output: Pick<ConvergenceOutput, "record">) {
    this.#output = output;
  }

  /** When `tick` has something to do; undefined: not before another input. */
  get nextWake(): number | undefined {
    return this.#writing === undefined ? this.#wakeAt : undefined;
  }

  /** Takes a verdict, and tries again what could not be written before. One that was taken last already is not written again. */
  note(entry: VerdictEntry, now: number): void {
    if (!isSame(this.#last, entry)) {
      this.#last = entry;
      const rest = this.#withoutOvertaken(entry.revision);
      this.#waiting = [...(rest.length >= MOST ? rest.slice(1) : rest), entry];
    }
    this.#drain(now);
  }

  /** The one under way was written. */
  recorded(now: number): void {
    const entry = this.#writing;
    this.#writing = undefined;
    if (entry === undefined) return;
    if (entry.revision <= this.#judged) this.#room--;
    else this.#judged = entry.revision;
    if (this.#waiting[0] === entry)
      this.#waiting = this.#waiting.length === 1 ? NONE : this.#waiting.slice(1);
    this.#drain(now);
  }

  /** The one under way could not be written: it is tried again with the next verdict, or after a while. */
  failed(now: number): void {
    this.#writing = undefined;
    this.#wakeAt = now + EVERY_MS;
  }

  /** The agent is another one: its revisions count from 1 again. */
  forget(): void {
    this.#waiting = NONE;
    this.#last = undefined;
    this.#judged = 0;
  }

  /** The time that `nextWake` named has come. */
  tick(now: number): void {
    if (this.#wakeAt === undefined || now < this.#wakeAt) return;
    this.#drain(now);
  }

  #drain(now: number): void {
    if (this.#writing !== undefined) return;
    const [entry] = this.#waiting;
    this.#wakeAt = undefined;
    if (entry === undefined) return;
    if (!this.#hasRoom(entry, now)) {
      this.#wakeAt = now + EVERY_MS;
      return;
    }
    this.#writing = entry;
    this.#output.record(entry);
  }

  /** True if it may be written now, as the first on its revision may. */
  #hasRoom({ revision }: VerdictEntry, now: number): boolean {
    if (revision > this.#judged) return true;
    const since = this.#roomAt ?? now;
    const more = Math.floor((now - since) / EVERY_MS);
    this.#room = Math.min(BURST, this.#room + more);
    this.#roomAt = this.#room === BURST ? now : since + more * EVERY_MS;
    return this.#room > 0;
  }

  /** What waits for room and is overtaken by another word on the same revision is of no interest any more. */
  #withoutOvertaken(revision: number): readonly VerdictEntry[] {
    return this.#waiting.filter((entry) => entry.revision !== revision || entry === this.#writing);
  }
}

const NONE: readonly VerdictEntry[] = [];

function isSame(last: VerdictEntry | undefined, { revision, outcome, bootId }: VerdictEntry): boolean {
  return last?.revision === revision && last.outcome === outcome && last.bootId === bootId;
}

/** True if the store has that verdict already. */
export function isRecorded(stored: ConfigVerdict, { outcome, bootId }: VerdictEntry): boolean {
  return stored.outcome === outcome && stored.bootId === bootId;
}
