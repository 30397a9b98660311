import type { Appointment, Clock } from "./clock.ts";

/** The monotonic clock of one machine: it may go faster or slower than the world's, and may jump, but never back. */
export class NodeClock {
  readonly #clock: Clock;
  #base: number;
  #local: number;
  #rate: number;

  /** `local` is what it shows now, `rate` how many of its milliseconds pass in one of the world's. */
  constructor(clock: Clock, local: number, rate: number) {
    this.#clock = clock;
    this.#base = clock.now;
    this.#local = local;
    this.#rate = rate;
  }

  get rate(): number {
    return this.#rate;
  }

  /** What it shows now. */
  now(): number {
    return this.#local + (this.#clock.now - this.#base) * this.#rate;
  }

  /** The world's time at which it will show `local`. */
  when(local: number): number {
    return this.#base + (local - this.#local) / this.#rate;
  }

  /** Jumps forward, and goes at another rate from now on. */
  set(jumpMs: number, rate: number): void {
    this.#local = this.now() + jumpMs;
    this.#base = this.#clock.now;
    this.#rate = rate;
  }
}

/** No timer is early: this is more than what the arithmetic of two clocks may lose. */
const LATE_MS = 0.001;

/** Rings when a kernel has asked to be woken. */
export class Alarm {
  readonly #clock: Clock;
  readonly #node: NodeClock;
  readonly #due: () => number | undefined;
  readonly #ring: () => void;
  #set: Appointment | undefined;

  /** `due` is a kernel's `nextWake`, by the machine's clock. */
  constructor(clock: Clock, node: NodeClock, due: () => number | undefined, ring: () => void) {
    this.#clock = clock;
    this.#node = node;
    this.#due = due;
    this.#ring = ring;
  }

  /** To be called after everything that was handed to the kernel. */
  look(): void {
    const due = this.#due();
    if (due === undefined) return;
    const time = Math.max(this.#node.when(due) + LATE_MS, this.#clock.now);
    if (this.#set !== undefined && !this.#set.isOff && this.#set.time <= time) return;
    this.stop();
    this.#set = this.#clock.at(time, () => {
      this.#set = undefined;
      this.#ring();
    });
  }

  /** The machine's clock has jumped. */
  reset(): void {
    this.stop();
    this.look();
  }

  stop(): void {
    if (this.#set !== undefined) this.#set.isOff = true;
    this.#set = undefined;
  }
}
