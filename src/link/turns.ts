import { monotonicNow, limits, type Turns, type Waiting } from "@valinor/protocol";

/** Time that is used before the turn is looked at: what stays below in many turns together costs no `setImmediate` in each. */
const UNMARKED_MS = 1;

/** Most slices that are looked for in one turn. */
const MOST_SLICES = 32;

/** One slice in so many is of a link with much to read, though others with little wait: many of those must not keep it for ever. */
const HEAVY_EVERY = 4;

/**
 * Shares the turns of the event loop among the links of a process. In each turn all of them together have a few milliseconds: a read of a link is
 * decoded at once while there is time, otherwise it waits for a slice. Slices go round by link; a link with little to read goes first, so
 * that a quiet one does not wait for those that flood. HTTP has its turn between.
 */
export class ReadTurns implements Turns {
  /** Little was read of these, and they were not served since. */
  readonly #light: Waiting[] = [];
  readonly #heavy: Waiting[] = [];
  /** When this turn began; undefined while that need not be known: little was used, and nobody waits. */
  #beganAt: number | undefined;
  #unmarkedMs = 0;
  #slices = 0; // that are asked for and have not begun
  #served = 0;
  #servedInTurn = 0;

  /** How many links wait. */
  get waiting(): number {
    return this.#light.length + this.#heavy.length;
  }

  until(bytes: number, now: number): number {
    const light = bytes <= limits.readLightBytes;
    if (!light && this.#heavy.length > 0) return 0; // behind those that wait
    const began = this.#beganAt ?? now;
    const end = began + (light ? limits.readTurnMs : limits.readSlicesMs);
    return now < end ? end : 0;
  }

  used(ms: number): void {
    if (this.#beganAt !== undefined) return;
    this.#unmarkedMs += ms;
    if (this.#unmarkedMs >= UNMARKED_MS) this.#mark(this.#unmarkedMs);
  }

  wait(waiting: Waiting, bytes: number): void {
    (bytes <= limits.readLightBytes ? this.#light : this.#heavy).push(waiting);
    if (this.#beganAt === undefined) this.#mark(0);
    this.#ask();
  }

  /** From now on this turn's time counts, until the event loop has come round. */
  #mark(usedMs: number): void {
    this.#beganAt = monotonicNow() - usedMs;
    setImmediate(this.#nextTurn);
  }

  /** Before any slice of the turn: it was asked for first. */
  readonly #nextTurn = (): void => {
    this.#unmarkedMs = 0;
    this.#servedInTurn = 0;
    if (this.waiting === 0) {
      this.#beganAt = undefined;
    } else {
      this.#mark(0);
    }
  };

  /** Each slice is an immediate of its own, so that what it wakes runs before the next and counts. */
  #ask(): void {
    for (const most = Math.min(this.waiting, MOST_SLICES); this.#slices < most; this.#slices++)
      setImmediate(this.#serve);
  }

  readonly #serve = (): void => {
    this.#slices--;
    const now = monotonicNow();
    // One in each turn at least: the time may be that of other processes.
    if (this.#servedInTurn === 0 || now - (this.#beganAt ?? now) < limits.readSlicesMs) {
      this.#servedInTurn++;
      const next = this.#next();
      if (next?.slice(now + limits.readSliceMs) === true) this.#heavy.push(next);
    }
    if (this.waiting > 0) this.#ask();
  };

  #next(): Waiting | undefined {
    const heavyFirst = ++this.#served % HEAVY_EVERY === 0 && this.#heavy.length > 0;
    return heavyFirst ? this.#heavy.shift() : (this.#light.shift() ?? this.#heavy.shift());
  }
}
