import { firstMark } from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";
import { agentStops } from "./endings.ts";
import { emptyJournal, type JournalTotal } from "./journal.ts";
import { JournalBudget } from "./journal-budget.ts";
import type { ModelRequest } from "./model.ts";
import { UNSAID } from "./on-disconnect.ts";
import { Run, type RunOwner } from "./run.ts";
import { stoppedClock } from "./run-clock.ts";
import type { NewRun, RunState } from "./run-state.ts";

/** What the registry of runs has its owner do. */
export interface RunsOutput {
  callModel(life: string, request: ModelRequest, watchTools: boolean): void;
  pauseModel(life: string): void;
  resumeModel(life: string): void;
  endModel(life: string, answered: boolean): void;
  /** The number of runs in flight changed. */
  onCount(now: number): void;
  /** A request was not written down in time, and its run refused. */
  onNotRecorded(requestId: string): void;
  wakeAt(time: number): void;
}

/** The runs of this boot: those in flight, and those whose journals are still kept. */
export class Runs implements RunOwner {
  readonly bounds: Bounds;
  readonly inFlight = new Set<Run>();
  /** In the order in which they ended. */
  readonly ended = new Set<Run>();
  readonly #output: RunsOutput;
  readonly #byRequest = new Map<string, Run>();
  readonly #byLife = new Map<string, Run>();
  readonly #recording = new Set<Run>();
  readonly #budget: JournalBudget<Run>;

  constructor(bounds: Bounds, output: RunsOutput, states: readonly RunState[]) {
    this.bounds = bounds;
    this.#output = output;
    this.#budget = new JournalBudget(bounds, this);
    for (const state of states) this.#add(new Run(this, state));
  }

  snapshot(now: number): RunState[] {
    return [...this.inFlight, ...this.ended].map((run) => run.snapshot(now));
  }

  get total(): JournalTotal {
    return this.#budget.total;
  }

  /** The run of that request, if its journal is still kept. */
  find(requestId: string): Run | undefined {
    return this.#byRequest.get(requestId);
  }

  /** The run of that life, if its journal is still kept. */
  ofLife(life: string): Run | undefined {
    return this.#byLife.get(life);
  }

  /** True if one more run may begin. */
  hasRoom(now: number): boolean {
    return this.inFlight.size < this.bounds.runsInFlight && this.#budget.hasRoom(now);
  }

  /** Begins a run: it can be found and attached to at once. The model is called after `recorded`. */
  begin({ requestId, hash, life, request, policy }: NewRun, now: number): Run {
    const recordBy = now + this.bounds.recordMs;
    const run = new Run(this, {
      requestId,
      hash,
      life,
      recorded: false,
      recordBy,
      journal: emptyJournal(firstMark(life)),
      call: {
        request,
        policy,
        offered: request.tools.map(({ name }) => name),
        open: false,
        paused: false,
        waiting: [],
        clock: stoppedClock,
      },
      onDisconnect: UNSAID,
      orphanAt: undefined,
      endedAt: undefined,
    });
    this.#add(run);
    this.#output.onCount(now);
    this.wakeAt(recordBy);
    return run;
  }

  /** The request of a run was written down, or could not be: then its readers are refused, and the model is not called. */
  recorded(life: string, ok: boolean, now: number): void {
    const run = this.#byLife.get(life);
    if (run === undefined || run.accepted) return;
    if (!ok) return this.#refuse(run, now);
    this.#recording.delete(run);
    run.accept(now);
  }

  settle(run: Run, now: number): void {
    this.#budget.settle(run, now);
  }

  callModel(run: Run, request: ModelRequest, watchTools: boolean): void {
    this.#output.callModel(run.life, request, watchTools);
  }

  pauseModel(run: Run): void {
    this.#output.pauseModel(run.life);
  }

  resumeModel(run: Run): void {
    this.#output.resumeModel(run.life);
  }

  endModel(run: Run, answered: boolean): void {
    this.#output.endModel(run.life, answered);
  }

  onEnd(run: Run, now: number): void {
    this.inFlight.delete(run);
    if (this.#byLife.has(run.life)) this.ended.add(run);
    this.wakeAt(now + this.bounds.journalKeepMs);
    this.#output.onCount(now);
  }

  wakeAt(time: number): void {
    this.#output.wakeAt(time);
  }

  /** Drops an ended run and its journal. Its request stays in the ledger. */
  forget(run: Run, now: number): void {
    this.#remove(run);
    run.forget(now);
  }

  /** Ends runs whose time is up, and drops the journals that were kept long enough. */
  tick(now: number): void {
    for (const run of this.#recording) {
      if (now >= run.recordBy) this.#refuse(run, now);
    }
    for (const run of this.inFlight) run.tick(now);
    for (const run of this.ended) {
      if (now - (run.endedAt ?? now) < this.bounds.journalKeepMs) return;
      this.forget(run, now);
    }
  }

  /** When `tick` next has something to do; Infinity if never. */
  nextWake(): number {
    let next = Infinity;
    for (const { recordBy } of this.#recording) next = Math.min(next, recordBy);
    for (const { dueAt } of this.inFlight) next = Math.min(next, dueAt);
    for (const { endedAt } of this.ended) return Math.min(next, (endedAt ?? 0) + this.bounds.journalKeepMs);
    return next;
  }

  /** Ends every run in flight because the agent stops. */
  stopAll(now: number): void {
    for (const run of this.inFlight) run.end(agentStops, now);
  }

  /** Ends every run in flight without a word. */
  abandonAll(now: number): void {
    for (const run of this.inFlight) run.abandon(now);
  }

  #add(run: Run): void {
    this.#byRequest.set(run.requestId, run);
    this.#byLife.set(run.life, run);
    (run.ended ? this.ended : this.inFlight).add(run);
    if (!run.accepted) this.#recording.add(run);
  }

  /** A run that is not held any more waits for nothing: its journal is dropped once. */
  #remove(run: Run): void {
    this.ended.delete(run);
    this.#recording.delete(run);
    this.#byRequest.delete(run.requestId);
    this.#byLife.delete(run.life);
  }

  #refuse(run: Run, now: number): void {
    this.#output.onNotRecorded(run.requestId);
    this.#remove(run);
    run.refuse("internal", "the request could not be recorded", now);
    run.forget(now);
  }
}
