/** Something that is to happen. It can be called off until it has. */
export interface Appointment {
  readonly time: number;
  readonly order: number;
  readonly run: () => void;
  isOff: boolean;
}

/**
 * Virtual time: milliseconds that pass because the next thing happens then. What is due at the same time happens in the order in which
 * it was arranged, so a run depends on nothing but its seed.
 */
export class Clock {
  /** Milliseconds since the world began. */
  now = 0;
  /** How many things have happened. */
  steps = 0;
  readonly #heap: Appointment[] = [];
  #order = 0;

  /** Arranges something for a time; for one that is past it happens next. */
  at(time: number, run: () => void): Appointment {
    const appointment = { time: Math.max(time, this.now), order: this.#order++, run, isOff: false };
    this.#push(appointment);
    return appointment;
  }

  /** Arranges something for `ms` from now. */
  after(ms: number, run: () => void): Appointment {
    return this.at(this.now + ms, run);
  }

  /** Has the next thing happen; false if nothing is arranged. */
  step(): boolean {
    for (let next = this.#pop(); next !== undefined; next = this.#pop()) {
      if (next.isOff) continue;
      this.now = next.time;
      this.steps++;
      next.run();
      return true;
    }
    return false;
  }

  #push(appointment: Appointment): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(appointment);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Appointment;
      if (!isBefore(appointment, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = appointment;
  }

  #pop(): Appointment | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as Appointment)) child++;
      const smallest = heap[child] as Appointment;
      if (!isBefore(smallest, last)) break;
      heap[at] = smallest;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Appointment, b: Appointment): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order);
}
