import type { Bounds } from "../bounds.ts";
import type { JournalTotal } from "./journal.ts";
import type { Run } from "./run.ts";

/** The runs whose journals are counted. */
export interface Budgeted {
  readonly inFlight: ReadonlySet<Run>;
  /** In the order in which they ended. */
  readonly ended: ReadonlySet<Run>;
  /** Drops an ended run and its journal. */
  forget(run: Run): void;
}

/**
 * Keeps journals within their bounds, but for one event a run. Over a bound ended runs go first, the oldest before others;
 * then events that are not needed any more: those that a reader has taken, and all of a run that nobody reads; then a run
 * that is read stops reading its model, and no new message is taken.
 */
export class Budget {
  readonly total: JournalTotal = { bytes: 0 };
  readonly #bounds: Pick<Bounds, "journalRunBytes" | "journalAgentBytes">;
  readonly #runs: Budgeted;
  readonly #blocked = new Set<Run>();

  constructor(bounds: Pick<Bounds, "journalRunBytes" | "journalAgentBytes">, runs: Budgeted) {
    this.#bounds = bounds;
    this.#runs = runs;
  }

  /** Brings a run whose journal or readers changed within bounds, or stops it; then lets go those that have room again. */
  settle(run: Run): void {
    this.#settleOne(run);
    for (const other of this.#blocked) if (other !== run) this.#settleOne(other);
  }

  /** True where a new run would have room. */
  hasRoom(): boolean {
    this.#makeRoom(this.#bounds.journalAgentBytes - 1);
    return this.total.bytes < this.#bounds.journalAgentBytes;
  }

  #settleOne(run: Run): void {
    const { journalRunBytes, journalAgentBytes } = this.#bounds;
    while (run.journal.bytes > journalRunBytes && droppable(run)) run.dropOldest();
    if (this.total.bytes > journalAgentBytes) this.#makeRoom(journalAgentBytes);
    const over = run.journal.bytes > journalRunBytes || this.total.bytes > journalAgentBytes;
    const blocked = over && !run.ended && run.readers.size > 0;
    if (blocked) this.#blocked.add(run);
    else this.#blocked.delete(run);
    run.setBlocked(blocked);
  }

  /** Drops what may be dropped until all journals together hold at most `bytes`. */
  #makeRoom(bytes: number): void {
    for (const run of this.#runs.ended) {
      if (this.total.bytes <= bytes) return;
      if (run.readers.size === 0) this.#runs.forget(run);
    }
    while (this.total.bytes > bytes) {
      const run = this.#largestDroppable();
      if (run === undefined) return;
      run.dropOldest();
    }
  }

  #largestDroppable(): Run | undefined {
    let largest: Run | undefined;
    for (const runs of [this.#runs.inFlight, this.#runs.ended]) {
      for (const run of runs) {
        if (run.journal.bytes > (largest?.journal.bytes ?? 0) && droppable(run)) largest = run;
      }
    }
    return largest;
  }
}

/** True where the run's oldest event was taken by a reader, or nobody reads the run. */
function droppable(run: Run): boolean {
  if (run.journal.bytes === 0) return false;
  if (run.readers.size === 0) return true;
  for (const reader of run.readers) if (reader.next > run.journal.first) return true;
  return false;
}
