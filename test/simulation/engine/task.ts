import type { Appointment, Clock } from "./clock.ts";

/** What a task waits for: one of the signals, or the end of a time. */
export interface Wait {
  readonly signals: readonly Signal[];
  readonly ms: number;
}

/** The body of a task: it yields what it waits for, and is told whether a signal came (true) or the time was over. */
export type Tasked<T> = Generator<Wait, T, boolean>;

/** Wakes the tasks that wait for it. */
export class Signal {
  readonly #waiting = new Set<Task<unknown>>();

  wake(): void {
    for (const task of this.#waiting) task.wake();
  }

  /** For tasks alone. */
  add(task: Task<unknown>): void {
    this.#waiting.add(task);
  }

  /** For tasks alone. */
  remove(task: Task<unknown>): void {
    this.#waiting.delete(task);
  }
}

/** No wait is shorter: the end of one that is cannot be told from its beginning. */
const LEAST_MS = 0.001;

/** How a task ended. */
export type TaskEnd<T> = { readonly value: T } | { readonly error: unknown };

/** Code that waits in virtual time: what is a promise in the programs is a task in the simulation. */
export class Task<T> {
  readonly #clock: Clock;
  readonly #body: Tasked<T>;
  readonly #onEnd: (end: TaskEnd<T>) => void;
  #wait: Wait | undefined;
  #timer: Appointment | undefined;
  #turn: Appointment | undefined;
  #isOver = false;

  /** Begins the task in the next step; `onEnd` is called once, unless the task is dropped. */
  constructor(clock: Clock, body: Tasked<T>, onEnd: (end: TaskEnd<T>) => void) {
    this.#clock = clock;
    this.#body = body;
    this.#onEnd = onEnd;
    this.#turn = clock.after(0, () => this.#go(() => this.#body.next(true)));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** One of its signals came. */
  wake(): void {
    if (this.#isOver || this.#turn !== undefined) return;
    this.#turn = this.#clock.after(0, () => this.#go(() => this.#body.next(true)));
  }

  /** Has the wait that is under way fail. */
  interrupt(error: unknown): void {
    if (this.#isOver) return;
    if (this.#turn !== undefined) this.#turn.isOff = true;
    this.#turn = this.#clock.after(0, () => this.#go(() => this.#body.throw(error)));
  }

  /** Ends it without a word, as the death of its machine does. */
  drop(): void {
    this.#isOver = true;
    if (this.#turn !== undefined) this.#turn.isOff = true;
    this.#unwait();
  }

  #go(step: () => IteratorResult<Wait, T>): void {
    this.#turn = undefined;
    this.#unwait();
    let result: IteratorResult<Wait, T>;
    try {
      result = step();
    } catch (error) {
      this.#isOver = true;
      this.#onEnd({ error });
      return;
    }
    if (this.#isOver) return;
    if (result.done === true) {
      this.#isOver = true;
      this.#onEnd({ value: result.value });
      return;
    }
    this.#wait = result.value;
    for (const signal of result.value.signals) signal.add(this as Task<unknown>);
    const { ms } = result.value;
    if (ms !== Infinity)
      this.#timer = this.#clock.after(Math.max(LEAST_MS, ms), () => this.#go(() => this.#body.next(false)));
  }

  #unwait(): void {
    for (const signal of this.#wait?.signals ?? []) signal.remove(this as Task<unknown>);
    this.#wait = undefined;
    if (this.#timer !== undefined) this.#timer.isOff = true;
    this.#timer = undefined;
  }
}

/** Waits for a time. */
export function* sleep(ms: number): Tasked<void> {
  yield { signals: [], ms };
}

/** Waits until `test` holds, which is looked at when a signal comes; false if the time was over before. */
export function* waitUntil(
  clock: Clock,
  test: () => boolean,
  ms: number,
  ...signals: readonly Signal[]
): Tasked<boolean> {
  const end = clock.now + ms;
  while (!test()) {
    if (clock.now >= end) return false;
    yield { signals, ms: end - clock.now };
  }
  return true;
}
