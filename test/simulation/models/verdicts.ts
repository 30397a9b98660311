import type { Clock } from "../engine/clock.ts";
import { Signal, type Tasked, waitUntil } from "../engine/task.ts";

/** Those who wait for a verdict, each under a number: for the guest's word on what they pushed. */
export class Verdicts<V> {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, (verdict: V) => void>();
  #numbers = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many verdicts are still to come. */
  get size(): number {
    return this.#waiting.size;
  }

  /** A verdict came. */
  tell(number: number, verdict: V): void {
    this.#waiting.get(number)?.(verdict);
    this.#waiting.delete(number);
  }

  /** Begins something under a number, and waits for the verdict on it for at most `ms`; undefined if none came by then. */
  *wait(ms: number, begin: (number: number) => void): Tasked<V | undefined> {
    const number = ++this.#numbers;
    const told = new Signal();
    let verdict: V | undefined;
    this.#waiting.set(number, (value) => {
      verdict = value;
      told.wake();
    });
    begin(number);
    yield* waitUntil(this.#clock, () => verdict !== undefined, ms, told);
    return verdict;
  }
}
