import type { Bounds } from "../bounds.ts";
import type { JournalTotal } from "./journal.ts";
import { FreePages } from "./journal-pages.ts";

type JournalBounds = Pick<Bounds, "journalRunBytes" | "journalAgentBytes">;

/** A run whose journal is counted. */
export interface BudgetedRun {
  readonly ended: boolean;
  readonly journal: { readonly bytes: number; readonly first: number };
  readonly readers: ReadonlySet<{ readonly next: number }>;
  /** Drops the oldest event. */
  dropOldest(now: number): void;
  /** Says whether the journal takes more. */
  setBlocked(blocked: boolean, now: number): void;
  /** Goes on, if it was blocked and is not any more. */
  proceed(now: number): void;
}

/** The runs whose journals are counted. */
export interface BudgetedRuns<R extends BudgetedRun> {
  readonly inFlight: ReadonlySet<R>;
  /** In the order in which they ended. */
  readonly ended: ReadonlySet<R>;
  /** Drops an ended run and its journal. */
  forget(run: R, now: number): void;
}

/**
 * What happens when journals are full: a run may hold `journalRunBytes`, all runs together `journalAgentBytes`, but for one event a run.
 * Over a bound these go, in this order: ended runs that nobody reads, the oldest first; events that are not needed any more, which are those that
 * a reader has taken, and all of a run that nobody reads. Then a run that is read stops reading its model, and no new message is taken. A
 * run that nobody reads never stops: it loses its oldest events.
 */
export class JournalBudget<R extends BudgetedRun> {
  readonly total: JournalTotal = { bytes: 0, pages: new FreePages() };
  readonly #bounds: JournalBounds;
  readonly #runs: BudgetedRuns<R>;
  readonly #blocked = new Set<R>();

  constructor(bounds: JournalBounds, runs: BudgetedRuns<R>) {
    this.#bounds = bounds;
    this.#runs = runs;
  }

  /** Brings a run whose journal or readers changed within bounds, or stops it; then lets go on those that have room again. */
  settle(run: R, now: number): void {
    this.#settleOne(run, now);
    if (this.#blocked.size > 0) this.#letGo(run, now);
  }

  /** True if a new run would have room. */
  hasRoom(now: number): boolean {
    this.#makeRoom(this.#bounds.journalAgentBytes - 1, now);
    return this.total.bytes < this.#bounds.journalAgentBytes;
  }

  #settleOne(run: R, now: number): void {
    const { journalRunBytes, journalAgentBytes } = this.#bounds;
    while (run.journal.bytes > journalRunBytes && isDroppable(run)) run.dropOldest(now);
    if (this.total.bytes > journalAgentBytes) this.#makeRoom(journalAgentBytes, now);
    const over = run.journal.bytes > journalRunBytes || this.total.bytes > journalAgentBytes;
    if (over && !run.ended && run.readers.size > 0) {
      this.#blocked.add(run);
      run.setBlocked(true, now);
    } else if (this.#blocked.delete(run)) {
      run.setBlocked(false, now);
      run.proceed(now);
    }
  }

  /** Settles every other blocked run. One that is blocked again is looked at again, after it has put some of what waits into its journal. */
  #letGo(run: R, now: number): void {
    for (const other of this.#blocked) if (other !== run) this.#settleOne(other, now);
  }

  /** Drops what may be dropped until all journals together hold at most `bytes`. */
  #makeRoom(bytes: number, now: number): void {
    for (const run of this.#runs.ended) {
      if (this.total.bytes <= bytes) return;
      if (run.readers.size === 0) this.#runs.forget(run, now);
    }
    while (this.total.bytes > bytes) {
      const run = this.#largestDroppable();
      if (run === undefined) return;
      run.dropOldest(now);
    }
  }

  #largestDroppable(): R | undefined {
    let largest: R | undefined;
    for (const runs of [this.#runs.inFlight, this.#runs.ended]) {
      for (const run of runs) {
        if (run.journal.bytes > (largest?.journal.bytes ?? 0) && isDroppable(run)) largest = run;
      }
    }
    return largest;
  }
}

/** True if the run's oldest event was taken by a reader, or nobody reads the run. */
function isDroppable(run: BudgetedRun): boolean {
  if (run.journal.bytes === 0) return false;
  if (run.readers.size === 0) return true;
  for (const reader of run.readers) if (reader.next > run.journal.first) return true;
  return false;
}
