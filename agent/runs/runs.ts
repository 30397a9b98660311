import type { Bounds } from "../bounds.ts";
import { Budget } from "./budget.ts";
import type { JournalTotal } from "./journal.ts";
import type { Ledger } from "./ledger.ts";
import { type Log } from "../log.ts";
import { Run, type RunOwner } from "./run.ts";
import { errorText } from "@valinor/protocol";

/** What the registry of runs needs. */
export interface RunsOptions {
  readonly bounds: Bounds;
  readonly ledger: Ledger;
  readonly log: Log;
  /** The number of runs in flight changed. */
  onCount(): void;
}

/** The runs of this boot: those in flight, and those whose journals are still kept. */
export class Runs implements RunOwner {
  readonly bounds: Bounds;
  readonly inFlight = new Set<Run>();
  readonly ended = new Set<Run>();
  readonly #options: RunsOptions;
  readonly #byId = new Map<string, Run>();
  readonly #budget: Budget;

  constructor(options: RunsOptions) {
    this.bounds = options.bounds;
    this.#options = options;
    this.#budget = new Budget(options.bounds, this);
  }

  get total(): JournalTotal {
    return this.#budget.total;
  }

  /** The run of that request, where its journal is still kept. */
  find(requestId: string): Run | undefined {
    return this.#byId.get(requestId);
  }

  /** True where one more run may begin. */
  hasRoom(): boolean {
    return this.inFlight.size < this.bounds.runsInFlight && this.#budget.hasRoom();
  }

  /**
   * Begins a run: it can be found and attached to at once; `execute` is called after the request is recorded. Where it
   * cannot be recorded, the readers get `internal` and the model is not called.
   */
  begin(requestId: string, hash: string, execute: (run: Run) => Promise<void>): Run {
    const run = new Run(this, requestId, hash);
    this.#byId.set(requestId, run);
    this.inFlight.add(run);
    this.#options.onCount();
    void this.#record(run).then((recorded) => (recorded ? this.#accept(run, execute) : undefined));
    return run;
  }

  settle(run: Run): void {
    this.#budget.settle(run);
  }

  onEnd(run: Run): void {
    this.inFlight.delete(run);
    if (this.#byId.get(run.requestId) === run) this.ended.add(run);
    this.#options.onCount();
  }

  /** Drops an ended run and its journal. Its request stays in the ledger. */
  forget(run: Run): void {
    this.ended.delete(run);
    this.#byId.delete(run.requestId);
    run.forget();
  }

  /** Drops the journals that were kept long enough. */
  sweep(now: number): void {
    for (const run of this.ended) {
      if (now - run.endedAt < this.bounds.journalKeepMs) return;
      this.forget(run);
    }
  }

  /** Ends every run in flight as cancelled. */
  cancelAll(reason: string): void {
    for (const run of this.inFlight) run.cancel(reason);
  }

  /** Ends every run in flight without a word. */
  abandonAll(): void {
    for (const run of this.inFlight) run.abandon();
  }

  async #accept(run: Run, execute: (run: Run) => Promise<void>): Promise<void> {
    run.accept();
    await execute(run);
  }

  async #record(run: Run): Promise<boolean> {
    const { ledger, bounds, log } = this.#options;
    try {
      await within(bounds.recordMs, ledger.record(run.requestId, run.hash));
      return true;
    } catch (error) {
      log.error("request_not_recorded", { request_id: run.requestId, reason: errorText(error) });
      this.#byId.delete(run.requestId);
      run.refuse("internal", "the request could not be recorded");
      this.ended.delete(run);
      run.forget();
      return false;
    }
  }
}

/** The promise, or a rejection after `ms`. */
function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not done within ${ms / 1000} s`)), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
