import { monotonicNow } from "@valinor/protocol";

/** One whose clock is to be looked at every second. */
export interface Ticked {
  tick(now: number): void;
}

const PERIOD_MS = 1_000;
const SLOTS = 20;

/**
 * Has every link of a process look at its clock once a second, by one timer. They stand in a wheel of slots, of which one is served at a time,
 * so that ten thousand of them don't hold the event loop up all at once.
 */
export class Ticks {
  readonly #slots: readonly Set<Ticked>[] = Array.from({ length: SLOTS }, () => new Set<Ticked>());
  #size = 0;
  #last = 0; // the slot that was served last
  #timer: NodeJS.Timeout | undefined; // while there is somebody to serve

  /** How many are served. */
  get size(): number {
    return this.#size;
  }

  /** From now on its clock is looked at, for the first time in a second. Answers what `delete` is to be told. */
  add(ticked: Ticked): number {
    this.#slots[this.#last]?.add(ticked);
    this.#size++;
    this.#timer ??= setInterval(() => this.#serve(), PERIOD_MS / SLOTS).unref();
    return this.#last;
  }

  /** Its clock is looked at no more. */
  delete(ticked: Ticked, slot: number): void {
    if (this.#slots[slot]?.delete(ticked) !== true || --this.#size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #serve(): void {
    this.#last = (this.#last + 1) % SLOTS;
    const now = monotonicNow();
    for (const ticked of this.#slots[this.#last] ?? []) ticked.tick(now);
  }
}
