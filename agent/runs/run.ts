import type { UsageJson } from "@valinor/proto/valinor/link/v1/link";
import {
  type ErrorCode,
  type FrameType,
  type Leaving,
  nextMark,
  type OnDisconnect,
  type ReadableRun,
  type RunReader,
} from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";
import { type Ending, nobodyReads, toolCallTooLarge } from "./endings.ts";
import {
  doneJson,
  ENVELOPE_BYTES,
  errorJson,
  textJson,
  toolBlockedJson,
  toolCallJson,
  withMark,
} from "./events.ts";
import { Journal, type JournalTotal } from "./journal.ts";
import type { ModelRequest } from "./model.ts";
import { type CallingRun, ModelCall } from "./model-call.ts";
import { afterLastReader } from "./on-disconnect.ts";
import type { RunState } from "./run-state.ts";

/** What a run has its keeper do. */
export interface RunOwner {
  readonly bounds: Bounds;
  readonly total: JournalTotal;
  /** The run's journal or its readers changed: keep the bounds on memory. */
  settle(run: Run, now: number): void;
  callModel(run: Run, request: ModelRequest, watchTools: boolean): void;
  pauseModel(run: Run): void;
  resumeModel(run: Run): void;
  /** The model's driver has a call that is of no use any more. `answered` if it came to its proper end. */
  endModel(run: Run, answered: boolean): void;
  /** The run has ended; called once. */
  onEnd(run: Run, now: number): void;
  /** The run has something to do at that time, which may be earlier than what it said before. */
  wakeAt(time: number): void;
}

/** A run: one message on its way through the model, the events that came of it, and those who read them. endings.ts says who ends it. */
export class Run implements ReadableRun, CallingRun {
  readonly requestId: string;
  readonly hash: string;
  readonly life: string;
  readonly recordBy: number;
  readonly journal: Journal;
  readonly readers = new Set<RunReader>();
  /** The model's call; it is begun once the request is recorded. */
  readonly call: ModelCall;
  readonly #owner: RunOwner;
  #recorded: boolean;
  #onDisconnect: OnDisconnect;
  #orphanAt: number | undefined;
  #endedAt: number | undefined;

  constructor(owner: RunOwner, state: RunState) {
    this.#owner = owner;
    this.requestId = state.requestId;
    this.hash = state.hash;
    this.life = state.life;
    this.recordBy = state.recordBy;
    this.journal = new Journal(owner.total, state.journal);
    this.call = new ModelCall(this, owner.bounds, state.call);
    this.#recorded = state.recorded;
    this.#onDisconnect = state.onDisconnect;
    this.#orphanAt = state.orphanAt;
    this.#endedAt = state.endedAt;
  }

  /** A copy, whose readers were all lost with their links at `now`. */
  snapshot(now: number): RunState {
    const waits =
      this.readers.size > 0 && !this.ended && afterLastReader(this.#onDisconnect, "lost") === "wait";
    return {
      requestId: this.requestId,
      hash: this.hash,
      life: this.life,
      recorded: this.#recorded,
      recordBy: this.recordBy,
      journal: this.journal.snapshot(),
      call: this.call.snapshot(now),
      onDisconnect: this.#onDisconnect,
      orphanAt: waits ? now + this.#owner.bounds.orphanMs : this.#orphanAt,
      endedAt: this.#endedAt,
    };
  }

  get accepted(): boolean {
    return this.#recorded;
  }

  get ended(): boolean {
    return this.#endedAt !== undefined;
  }

  /** When it ended; undefined while it is in flight. */
  get endedAt(): number | undefined {
    return this.#endedAt;
  }

  /** When `tick` next has something to do; Infinity if never. */
  get dueAt(): number {
    return this.ended ? Infinity : Math.min(this.#orphanAt ?? Infinity, this.call.dueAt);
  }

  /** The request was recorded: readers are answered, and the model is called. */
  accept(now: number): void {
    this.#recorded = true;
    this.#pump(now);
    if (this.ended) return;
    this.call.begin(now);
    this.#owner.wakeAt(this.dueAt);
  }

  /** The request could not be recorded: every reader is refused, and there never was a run. */
  refuse(code: ErrorCode, message: string, now: number): void {
    this.abandon(now);
    for (const reader of this.readers) reader.refuse(code, message, now);
  }

  attach(reader: RunReader, onDisconnect: OnDisconnect | undefined, now: number): void {
    this.#orphanAt = undefined;
    if (onDisconnect !== undefined) this.#onDisconnect = onDisconnect;
    this.readers.add(reader);
    reader.pump(now);
  }

  leave(reader: RunReader, how: Leaving, now: number): void {
    if (!this.readers.delete(reader)) return;
    if (!this.ended && this.readers.size === 0) this.#afterLastReader(how, now);
    this.settle(now);
  }

  settle(now: number): void {
    this.#owner.settle(this, now);
  }

  text(content: string, now: number): void {
    const { next, mark: before } = this.journal;
    const mark = nextMark(before, content);
    this.#append("chunk", textJson(content, next, mark), mark, now);
  }

  /** A call that fits into no frame ends the run. */
  toolCall(id: string, name: string, args: string, now: number): void {
    const json = toolCallJson(this.journal.next, id, name, args);
    if (Buffer.byteLength(json) + ENVELOPE_BYTES > this.#owner.bounds.frameBytes)
      return this.end(toolCallTooLarge, now);
    const mark = nextMark(this.journal.mark, json);
    this.#append("tool_call", withMark(json, mark), mark, now);
  }

  done(finishReason: string, usage: UsageJson | undefined, now: number): void {
    this.#end("chunk", doneJson(this.journal.next, finishReason, usage), now);
  }

  /** The model called a tool that is not allowed: that ends the run. */
  toolBlocked(name: string, now: number): void {
    this.#end("tool_blocked", toolBlockedJson(this.journal.next, name), now);
  }

  end({ code, message }: Ending, now: number): void {
    this.#end("error", errorJson(code, message, this.journal.next), now);
  }

  /** Ends the run without an event: the agent is gone. */
  abandon(now: number): void {
    if (!this.ended) this.#finish(false, now);
  }

  progress(): void {
    for (const reader of this.readers) reader.progress();
  }

  callModel(request: ModelRequest, watchTools: boolean): void {
    this.#owner.callModel(this, request, watchTools);
  }

  pauseModel(): void {
    this.#owner.pauseModel(this);
  }

  resumeModel(): void {
    this.#owner.resumeModel(this);
  }

  /** Drops the oldest event. A reader that had not taken it loses its place: its exchange ends with `run_trimmed`. */
  dropOldest(now: number): void {
    this.journal.dropOldest();
    this.#dropBehind(now);
  }

  /** Drops all events, as after the time that they are kept. To be called once. */
  forget(now: number): void {
    this.journal.release();
    this.#dropBehind(now);
  }

  setBlocked(blocked: boolean, now: number): void {
    this.call.setBlocked(blocked, now);
    this.#owner.wakeAt(this.dueAt);
  }

  proceed(now: number): void {
    this.call.proceed(now);
  }

  tick(now: number): void {
    if (this.#orphanAt !== undefined && now >= this.#orphanAt) return this.end(nobodyReads, now);
    this.call.tick(now);
  }

  #afterLastReader(how: Leaving, now: number): void {
    const then = afterLastReader(this.#onDisconnect, how);
    if (then === "cancel") return this.end(nobodyReads, now);
    if (then !== "wait") return;
    this.#orphanAt = now + this.#owner.bounds.orphanMs;
    this.#owner.wakeAt(this.#orphanAt);
  }

  #append(type: FrameType, json: string, mark: number, now: number): void {
    if (this.ended) return;
    this.journal.append(type, json, mark);
    this.call.told(now);
    this.#pump(now);
    this.settle(now);
  }

  #end(type: FrameType, json: string, now: number): void {
    if (this.ended) return;
    const mark = nextMark(this.journal.mark, json);
    this.journal.append(type, withMark(json, mark), mark);
    this.#finish(type === "chunk", now);
    this.#pump(now);
    this.settle(now);
  }

  #finish(answered: boolean, now: number): void {
    this.#endedAt = now;
    this.#orphanAt = undefined;
    const { open } = this.call;
    this.call.stop();
    if (open) this.#owner.endModel(this, answered);
    this.#owner.onEnd(this, now);
  }

  #pump(now: number): void {
    for (const reader of this.readers) reader.pump(now);
  }

  #dropBehind(now: number): void {
    for (const reader of this.readers) {
      if (reader.next < this.journal.first) {
        reader.refuse("run_trimmed", "the next event of the run is not kept any more", now);
      }
    }
  }
}
