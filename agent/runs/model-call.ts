import { splitText } from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";
import { toolCheck } from "../settings/tool-policy.ts";
import { type Ending, modelSilent, tookTooLong } from "./endings.ts";
import { ENVELOPE_BYTES } from "./events.ts";
import type { ModelEvent, ModelRequest } from "./model.ts";
import { RunClock } from "./run-clock.ts";
import type { ModelCallState, WaitingEvent } from "./run-state.ts";

/** The run whose model is called: what comes of the call goes there. */
export interface CallingRun {
  readonly ended: boolean;
  text(content: string, now: number): void;
  toolCall(id: string, name: string, args: string, now: number): void;
  done(finishReason: string, usage: (ModelEvent & { kind: "finish" })["usage"], now: number): void;
  toolBlocked(name: string, now: number): void;
  end(ending: Ending, now: number): void;
  /** Sends readers a sign of life. */
  progress(): void;
  /** Orders to the model's driver. */
  callModel(request: ModelRequest, watchTools: boolean): void;
  pauseModel(): void;
  resumeModel(): void;
}

/**
 * The model's call of a run: which tools it may use, how long it may take, and what waits while the run's journal is full. Then the model is
 * not read, so that it waits as well.
 */
export class ModelCall {
  readonly #run: CallingRun;
  readonly #bounds: Bounds;
  readonly #fixed: Pick<ModelCallState, "policy" | "offered">;
  readonly #allows: (tool: string) => boolean;
  readonly #clock: RunClock;
  #request: ModelRequest | undefined;
  #open: boolean;
  #paused: boolean;
  #blocked = false;
  #waiting: WaitingEvent[];

  constructor(run: CallingRun, bounds: Bounds, state: ModelCallState) {
    this.#run = run;
    this.#bounds = bounds;
    this.#fixed = { policy: state.policy, offered: state.offered };
    this.#allows = toolCheck(state.policy, state.offered);
    this.#clock = new RunClock(bounds, state.clock);
    this.#request = state.request;
    this.#open = state.open;
    this.#paused = state.paused;
    this.#waiting = [...state.waiting];
  }

  /** A copy, which is not blocked from `now` on. */
  snapshot(now: number): ModelCallState {
    return {
      ...this.#fixed,
      request: this.#request,
      open: this.#open,
      paused: this.#paused,
      waiting: [...this.#waiting],
      clock: this.#clock.snapshot(now),
    };
  }

  /** True while the model's driver has the call. */
  get open(): boolean {
    return this.#open;
  }

  /** When `tick` next has something to do; Infinity if never. */
  get dueAt(): number {
    return this.#open ? this.#clock.dueAt : Infinity;
  }

  /** Calls the model. If the policy does not allow a tool of the client, the run ends before that. */
  begin(now: number): void {
    const request = this.#request;
    if (request === undefined) return;
    this.#request = undefined;
    const refused = this.#fixed.offered.find((name) => !this.#allows(name));
    if (refused !== undefined) return this.#run.toolBlocked(refused, now);
    this.#open = true;
    this.#clock.start(now);
    // If every tool is allowed there is nothing to watch, and watching is not free.
    this.#run.callModel(request, this.#fixed.policy.mode !== "all");
  }

  /** The run has ended: nothing that the model says counts any more. */
  stop(): void {
    this.#open = false;
    this.#request = undefined;
    this.#waiting = [];
  }

  /** The model sent something: events that are complete, or an empty list. */
  take(events: readonly ModelEvent[], now: number): void {
    if (!this.#open) return;
    this.#clock.heard(now);
    for (const event of events) {
      if (event.kind !== "text" || isShort(event.text, this.#bounds)) this.#takeOrWait(event, now);
      else this.#takeLong(event.text, now);
    }
    if (!this.#blocked || this.#paused || !this.#open) return;
    this.#paused = true;
    this.#run.pauseModel();
  }

  /** The call has failed: the run ends, after what came before. */
  failed(ending: Ending, now: number): void {
    if (this.#open) this.#takeOrWait({ kind: "failed", ending }, now);
  }

  /** OpenClaw runs a tool by itself. One that is not allowed ends the run. */
  ranTool(name: string, now: number): void {
    if (this.#open && !this.#allows(name)) this.#run.toolBlocked(name, now);
  }

  /** The run got an event: its readers have something to read. */
  told(now: number): void {
    this.#clock.told(now);
  }

  /** The journal takes no more events, or takes some again. */
  setBlocked(blocked: boolean, now: number): void {
    if (this.#blocked !== blocked) this.#clock.hold(blocked, now);
    this.#blocked = blocked;
  }

  /** Puts what waits into the journal while there is room, and has the model read again once nothing waits. */
  proceed(now: number): void {
    while (!this.#blocked && this.#waiting.length > 0)
      this.#apply(this.#waiting.shift() as WaitingEvent, now);
    if (this.#blocked || !this.#paused || !this.#open) return;
    this.#paused = false;
    this.#run.resumeModel();
  }

  /** Does what the run's time calls for. */
  tick(now: number): void {
    if (!this.#open) return;
    this.proceed(now);
    switch (this.#clock.due(now)) {
      case "too long":
        return this.#run.end(tookTooLong(this.#bounds), now);
      case "silent":
        return this.#run.end(modelSilent(this.#bounds), now);
      case "progress":
        return this.#run.progress();
      case undefined:
        return;
    }
  }

  #takeLong(text: string, now: number): void {
    for (const piece of splitText(text, textBytes(this.#bounds)))
      this.#takeOrWait({ kind: "text", text: piece }, now);
  }

  #takeOrWait(event: WaitingEvent, now: number): void {
    if (this.#blocked || this.#waiting.length > 0) this.#waiting.push(event);
    else this.#apply(event, now);
  }

  #apply(event: WaitingEvent, now: number): void {
    // What stands behind the end of the run in the same piece of the answer is dropped.
    if (!this.#open) return;
    switch (event.kind) {
      case "text":
        return this.#run.text(event.text, now);
      case "tool_call": {
        const { id, name, arguments: args } = event.call;
        if (!this.#allows(name)) return this.#run.toolBlocked(name, now);
        return this.#run.toolCall(id, name, args, now);
      }
      case "finish":
        return this.#run.done(event.finishReason, event.usage, now);
      case "failed":
        return this.#run.end(event.ending, now);
    }
  }
}

/** Most bytes of a text's JSON in one chunk. */
function textBytes({ chunkBytes }: Bounds): number {
  return chunkBytes - ENVELOPE_BYTES;
}

/** True for text that fits into a frame however it is escaped. */
function isShort(text: string, bounds: Bounds): boolean {
  return text.length * 6 + 2 <= textBytes(bounds);
}
