import type { UsageJson } from "@valinor/proto/valinor/link/v1/link";
import { monotonicNow, type ErrorCode, type FrameType } from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";
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
import { firstMark, mintLife, nextMark } from "./marks.ts";
import { startWatch, type Watch } from "./watch.ts";

/** What becomes of a run when its last reader has left. */
export type OnDisconnect = "continue" | "cancel";

/** How a reader left: it was told to stop, or its link was lost and it may come back. */
export type Leaving = "detached" | "lost";

/** One that reads a run's events. */
export interface RunReader {
  /** Number of the event that it takes next. */
  readonly next: number;
  /** Sends what may be sent; called after every event. */
  pump(): void;
  /** Sends a sign of life where that may be sent. */
  progress(): void;
  /** Ends the exchange, not the run, with an error. */
  refuse(code: ErrorCode, message: string): void;
}

/** What a run needs of the one that keeps it. */
export interface RunOwner {
  readonly bounds: Bounds;
  readonly total: JournalTotal;
  /** The run's journal or its readers changed: keeps the bounds on memory. */
  settle(run: Run): void;
  /** The run has ended; called once. */
  onEnd(run: Run): void;
}

/** A run: one message on its way through the model, the events that came of it, and those who read them. */
export class Run {
  readonly requestId: string;
  readonly hash: string;
  /** Random name: another run of the same request has another. */
  readonly life = mintLife();
  readonly journal: Journal;
  readonly readers = new Set<RunReader>();
  /** When it ended, by monotonicNow(); 0 while it is in flight. */
  endedAt = 0;
  readonly #owner: RunOwner;
  readonly #abort = new AbortController();
  #accepted = false;
  #blocked = false;
  #unblock: (() => void) | undefined;
  #watch: Watch | undefined;
  #onDisconnect: OnDisconnect = "cancel";
  #orphan: NodeJS.Timeout | undefined;

  constructor(owner: RunOwner, requestId: string, hash: string) {
    this.#owner = owner;
    this.requestId = requestId;
    this.hash = hash;
    this.journal = new Journal(owner.total, firstMark(this.life));
  }

  /** True once the request is in the ledger: from then on readers are answered. */
  get accepted(): boolean {
    return this.#accepted;
  }

  get ended(): boolean {
    return this.endedAt > 0;
  }

  /** Aborts when the run ends without success: the model call must not outlive it. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** True while the journal takes no more: the model is not read until `room` resolves. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** The request was recorded: the run begins. */
  accept(): void {
    this.#accepted = true;
    if (!this.ended) this.#startWatch();
    this.#pump();
  }

  /** The request could not be recorded: every reader is refused, and there never was a run. */
  refuse(code: ErrorCode, message: string): void {
    if (!this.ended) this.#finish(false);
    for (const reader of this.readers) reader.refuse(code, message);
  }

  /** Adds a reader. `onDisconnect` replaces what was said before, where it is given. */
  attach(reader: RunReader, onDisconnect: OnDisconnect | undefined): void {
    clearTimeout(this.#orphan);
    if (onDisconnect !== undefined) this.#onDisconnect = onDisconnect;
    this.readers.add(reader);
    reader.pump();
  }

  /** Removes a reader; when it was the last, `on_disconnect` applies. */
  leave(reader: RunReader, how: Leaving): void {
    if (!this.readers.delete(reader)) return;
    if (!this.ended && this.readers.size === 0 && this.#onDisconnect === "cancel") {
      const giveUp = () => this.cancel("nobody reads the run any more");
      if (how === "detached") return giveUp();
      clearTimeout(this.#orphan);
      this.#orphan = setTimeout(giveUp, this.#owner.bounds.orphanMs);
    }
    this.#owner.settle(this);
  }

  /** The model sent something. */
  heard(): void {
    this.#watch?.heard();
  }

  /** Adds text; its JSON must fit into a chunk frame. */
  text(content: string): void {
    const { next, mark: before } = this.journal;
    const mark = nextMark(before, content);
    this.#append("chunk", textJson(content, next, mark), mark);
  }

  /** Adds a tool call. A call that fits into no frame ends the run with `too_large`. */
  toolCall(callId: string, toolName: string, args: string): void {
    const json = toolCallJson(this.journal.next, callId, toolName, args);
    if (Buffer.byteLength(json) + ENVELOPE_BYTES > this.#owner.bounds.frameBytes) {
      return this.fail("too_large", "a tool call fits into no frame");
    }
    const mark = nextMark(this.journal.mark, json);
    this.#append("tool_call", withMark(json, mark), mark);
  }

  /** Ends the run with success. */
  done(finishReason: string, usage: UsageJson | undefined): void {
    this.#end("chunk", doneJson(this.journal.next, finishReason, usage));
  }

  /** Ends the run because the model called a tool that is not allowed. */
  toolBlocked(toolName: string): void {
    this.#end("tool_blocked", toolBlockedJson(this.journal.next, toolName));
  }

  /** Ends the run with an error. */
  fail(code: ErrorCode, message: string): void {
    this.#end("error", errorJson(code, message, this.journal.next));
  }

  /** Ends the run as cancelled. */
  cancel(reason: string): void {
    this.fail("cancelled", reason);
  }

  /** Ends the run without an event: the agent is gone. */
  abandon(): void {
    if (!this.ended) this.#finish(false);
  }

  /** Drops the oldest event. A reader that had not taken it loses its place: its exchange ends with `run_trimmed`. */
  dropOldest(): void {
    this.journal.dropOldest();
    this.#dropBehind();
  }

  /** Drops all events, as after the time that they are kept. To be called once. */
  forget(): void {
    this.journal.release();
    this.#dropBehind();
  }

  /** A reader went on: what it has taken may be dropped, and the model read again. */
  settle(): void {
    this.#owner.settle(this);
  }

  /** Told by the owner whether the journal takes more. */
  setBlocked(blocked: boolean): void {
    if (this.#blocked === blocked) return;
    this.#blocked = blocked;
    this.#watch?.hold(blocked);
    if (!blocked) this.#unblock?.();
  }

  /** Resolves when the journal takes more or the run has ended; the run's own bounds see to it that it does. */
  async room(): Promise<void> {
    while (this.#blocked && !this.ended) {
      await new Promise<void>((resolve) => {
        this.#unblock = resolve;
      });
    }
  }

  #startWatch(): void {
    const { modelSilenceMs, runMs } = this.#owner.bounds;
    this.#watch = startWatch(this.#owner.bounds, {
      onProgress: () => {
        for (const reader of this.readers) reader.progress();
      },
      onSilence: () => this.fail("model_timeout", `the model was silent for ${modelSilenceMs / 1000} s`),
      onTooLong: () => this.fail("run_timeout", `the run was not over after ${runMs / 1000} s`),
    });
  }

  #append(type: FrameType, json: string, mark: number): void {
    if (this.ended) return;
    this.journal.append(type, json, mark);
    this.#watch?.event();
    this.#pump();
    this.#owner.settle(this);
  }

  #end(type: FrameType, json: string): void {
    if (this.ended) return;
    const mark = nextMark(this.journal.mark, json);
    this.journal.append(type, withMark(json, mark), mark);
    this.#finish(type === "chunk");
    this.#pump();
    this.#owner.settle(this);
  }

  #finish(success: boolean): void {
    this.endedAt = monotonicNow();
    clearTimeout(this.#orphan);
    this.#watch?.stop();
    this.setBlocked(false);
    // A call that has answered in full ends by itself, and its connection can serve again.
    if (!success) this.#abort.abort();
    this.#owner.onEnd(this);
  }

  #pump(): void {
    for (const reader of this.readers) reader.pump();
  }

  #dropBehind(): void {
    for (const reader of this.readers) {
      if (reader.next < this.journal.first) {
        reader.refuse("run_trimmed", "the next event of the run is not kept any more");
      }
    }
  }
}
