import { limits } from "@valinor/protocol";

/** Part of a turn that is used before it is looked at: what stays below in many turns together costs no `setImmediate` in each. */
const UNMARKED = 0.25;

/** A batch that waits to be handed to its reader. */
interface Waiting {
  readonly frames: number;
  readonly bytes: number;
  go(): void;
}

/**
 * Shares the turns of the event loop among the readers of a process. What waited for slow clients would otherwise be encoded and written in
 * one turn when many of them read again at once. In each turn readers get so many frames and bytes, of all exchanges together; those for whom
 * nothing is left have theirs in the turns to come, one batch after the other. A small batch does not wait behind large ones.
 */
export class Deliveries {
  readonly #line: Waiting[] = [];
  /** What was handed over in this turn, or in a few if that was little. */
  #frames = 0;
  #bytes = 0;
  /** The next turn is looked at. */
  #isMarked = false;

  /** How many batches wait. */
  get waiting(): number {
    return this.#line.length;
  }

  /** Says that a batch is to be handed over: at once if the answer is undefined, or when it resolves. */
  turn(frames: number, bytes: number): Promise<void> | undefined {
    const light = frames <= limits.deliverLightFrames && bytes <= limits.readLightBytes;
    const isNow = light ? !this.#isOver(2) : this.#line.length === 0 && !this.#isOver(1);
    if (isNow) {
      this.#count(frames, bytes);
      return undefined;
    }
    return new Promise((go) => {
      this.#line.push({ frames, bytes, go });
      this.#mark();
    });
  }

  #count(frames: number, bytes: number): void {
    this.#frames += frames;
    this.#bytes += bytes;
    if (this.#isOver(UNMARKED)) this.#mark();
  }

  /** True if so many times what a turn has was handed over. */
  #isOver(times: number): boolean {
    return this.#frames >= times * limits.deliverTurnFrames || this.#bytes >= times * limits.deliverTurnBytes;
  }

  #mark(): void {
    if (this.#isMarked) return;
    this.#isMarked = true;
    setImmediate(this.#nextTurn);
  }

  readonly #nextTurn = (): void => {
    this.#isMarked = false;
    this.#frames = this.#bytes = 0;
    while (!this.#isOver(1)) {
      const next = this.#line.shift();
      if (next === undefined) return;
      this.#count(next.frames, next.bytes);
      next.go();
    }
    if (this.#line.length > 0) this.#mark();
  };
}
