import type { Bounds } from "../bounds.ts";

type ClockBounds = Pick<Bounds, "progressMs" | "modelSilenceMs" | "runMs">;

/** The clock of a run as plain data: monotonic milliseconds. */
export interface ClockState {
  readonly startedAt: number;
  /** When the model last sent something. */
  readonly heardAt: number;
  /** When the readers last got something. */
  readonly toldAt: number;
}

/** A clock that was not started. */
export const stoppedClock: ClockState = { startedAt: 0, heardAt: 0, toldAt: 0 };

/** What a run's time calls for: its end, or a sign of life for its readers. */
export type ClockDue = "too long" | "silent" | "progress" | undefined;

/** The clock of one run: how long it may last, how long its model may be silent, and when readers are owed a sign of life. */
export class RunClock {
  readonly #bounds: ClockBounds;
  #startedAt: number;
  #heardAt: number;
  #toldAt: number;
  #held = false;

  constructor(bounds: ClockBounds, { startedAt, heardAt, toldAt }: ClockState) {
    this.#bounds = bounds;
    this.#startedAt = startedAt;
    this.#heardAt = heardAt;
    this.#toldAt = toldAt;
  }

  /** A copy, which is not held from `now` on. */
  snapshot(now: number): ClockState {
    if (this.#held) return { startedAt: this.#startedAt, heardAt: now, toldAt: now };
    return { startedAt: this.#startedAt, heardAt: this.#heardAt, toldAt: this.#toldAt };
  }

  start(now: number): void {
    this.#startedAt = this.#heardAt = this.#toldAt = now;
  }

  /** The model sent something. */
  heard(now: number): void {
    this.#heardAt = now;
  }

  /** The run got an event: its readers have something to read. */
  told(now: number): void {
    this.#toldAt = now;
  }

  /** While held the model is not read, so its silence is ours: neither silence nor progress is due. */
  hold(held: boolean, now: number): void {
    if (this.#held && !held) this.#heardAt = this.#toldAt = now;
    this.#held = held;
  }

  /** What is due. Progress that was answered is due again after another interval. */
  due(now: number): ClockDue {
    const { runMs, modelSilenceMs, progressMs } = this.#bounds;
    if (now - this.#startedAt >= runMs) return "too long";
    if (this.#held) return undefined;
    if (now - this.#heardAt >= modelSilenceMs) return "silent";
    if (now - this.#toldAt < progressMs) return undefined;
    this.#toldAt = now;
    return "progress";
  }

  /** When something is due next, if nothing happens before. */
  get dueAt(): number {
    const { runMs, modelSilenceMs, progressMs } = this.#bounds;
    const end = this.#startedAt + runMs;
    return this.#held ? end : Math.min(end, this.#heardAt + modelSilenceMs, this.#toldAt + progressMs);
  }
}
