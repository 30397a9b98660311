import { type Decoded, monotonicNow, limits, type Turns, type Waiting } from "@valinor/protocol";

/** Part of a turn that is used before it is looked at: what stays below in many turns together costs no `setImmediate` in each. */
const UNMARKED = 0.25;

/** Most of those that wait that are looked for in one turn. */
const MOST_SERVED = 32;

/** One slice in so many is of a link with much to decode, though others with little wait: many of those must not keep it for ever. */
const HEAVY_EVERY = 4;

/** One that waits in order to read on, and how much it read before. */
interface Resting {
  readonly waiting: Waiting;
  readonly bytes: number;
}

/**
 * Shares the turns of the event loop among the links of a process. In each turn all of them together may decode so many frames and bytes, for
 * a few milliseconds: a read of a link is decoded at once while something of this is left, otherwise it waits for a slice. A link whose read
 * was large reads on when others that wait have had their turn. So what all of them hold, read and not decoded, is what one turn reads.
 * Turns go round by link; a link with little to decode goes first, so that a quiet one does not wait for those that flood. HTTP has its
 * turn between.
 */
export class ReadTurns implements Turns {
  /** Those that hold what they have read: little, and much. They were not served since. */
  readonly #light: Waiting[] = [];
  readonly #heavy: Waiting[] = [];
  readonly #resting: Resting[] = [];
  /** When this turn began; undefined while that need not be known: little was used, and nobody waits. */
  #beganAt: number | undefined;
  /** What was used in this turn. */
  #ms = 0;
  #frames = 0;
  #bytes = 0;
  /** Bytes that links which were asked to read on in this turn may bring. */
  #expected = 0;
  #asked = 0; // immediates that have not begun
  #served = 0;
  #servedInTurn = 0;

  /** How many links wait. */
  get waiting(): number {
    return this.#light.length + this.#heavy.length + this.#resting.length;
  }

  until(bytes: number, now: number): number {
    const light = bytes <= limits.readLightBytes;
    const began = this.#beganAt ?? now;
    if (light) return now < began + limits.readTurnMs ? began + limits.readTurnMs : 0;
    // Behind those that wait.
    if (this.#heavy.length > 0 || this.#isSpent(now)) return 0;
    const end = began + limits.readSlicesMs;
    return this.waiting === 0 ? end : Math.min(now + limits.readSliceMs, end);
  }

  /** One that is alone is not cut short: frames that come together leave together. */
  get mostFrames(): number {
    return this.waiting === 0 ? limits.readAloneFrames : limits.readSliceFrames;
  }

  used({ frames, bytes, ms }: Decoded): void {
    this.#frames += frames;
    this.#bytes += bytes;
    if (this.#beganAt !== undefined) return;
    this.#ms += ms;
    if (this.#ms >= UNMARKED * limits.readSlicesMs || this.#isOver(UNMARKED)) this.#mark(this.#ms);
  }

  hold(waiting: Waiting, bytes: number): void {
    (bytes <= limits.readLightBytes ? this.#light : this.#heavy).push(waiting);
    this.#ask();
  }

  rest(waiting: Waiting, bytes: number): boolean {
    if (bytes <= limits.readLightBytes) return false;
    if (this.waiting === 0 && !this.#isSpent(monotonicNow())) return false;
    this.#resting.push({ waiting, bytes });
    this.#ask();
    return true;
  }

  /** True if no large read is to be decoded in this turn any more. */
  #isSpent(now: number): boolean {
    return this.#isOver() || now >= (this.#beganAt ?? now) + limits.readSlicesMs;
  }

  /** True if so much of what a turn may decode was. */
  #isOver(part = 1): boolean {
    return this.#frames >= part * limits.readTurnFrames || this.#bytes >= part * limits.readTurnBytes;
  }

  /** From now on this turn counts, until the event loop has come round. */
  #mark(usedMs: number): void {
    this.#beganAt = monotonicNow() - usedMs;
    setImmediate(this.#nextTurn);
  }

  /** Before anybody of the turn is served: it was asked for first. */
  readonly #nextTurn = (): void => {
    this.#ms = this.#frames = this.#bytes = this.#expected = 0;
    this.#servedInTurn = 0;
    if (this.waiting === 0) {
      this.#beganAt = undefined;
    } else {
      this.#mark(0);
    }
  };

  /** Each is an immediate of its own, so that what it wakes runs before the next and counts. */
  #ask(): void {
    if (this.#beganAt === undefined) this.#mark(0);
    for (const most = Math.min(this.waiting, MOST_SERVED); this.#asked < most; this.#asked++)
      setImmediate(this.#serve);
  }

  readonly #serve = (): void => {
    this.#asked--;
    const now = monotonicNow();
    // One in each turn at least: the time may be that of other processes.
    if (this.#servedInTurn === 0 || !this.#isSpent(now)) {
      this.#servedInTurn++;
      const holder = this.#nextHolder();
      if (holder === undefined) this.#readOn();
      else this.used(holder.serve(now + limits.readSliceMs));
    }
    if (this.waiting > 0) this.#ask();
  };

  #nextHolder(): Waiting | undefined {
    const heavyFirst = ++this.#served % HEAVY_EVERY === 0 && this.#heavy.length > 0;
    return heavyFirst ? this.#heavy.shift() : (this.#light.shift() ?? this.#heavy.shift());
  }

  /** Nobody holds anything: as many links read on as a turn may decode bytes of. */
  #readOn(): void {
    while (this.#expected < limits.readTurnBytes) {
      const next = this.#resting.shift();
      if (next === undefined) return;
      this.#expected += next.bytes;
      next.waiting.serve(0);
    }
  }
}
