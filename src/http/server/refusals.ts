import { monotonicNow } from "@valinor/protocol";
import type { HttpLimits } from "./http-limits.ts";

const SECOND_MS = 1_000;

/** So many times the usual wait at most, however many refusals there are. */
const MOST_TIMES = 20;

/**
 * Decides how long a connection waits after an answer 401: not at all, unless its own refusals in a row are many, or those of all connections
 * in a second are. Then the wait grows with them, so that many connections get no more refusals together than a few would. Whoever has a good
 * credential waits for nothing.
 */
export class Refusals {
  readonly #limits: HttpLimits;
  #since = -SECOND_MS;
  #count = 0;
  #before = 0; // of the second before

  constructor(limits: HttpLimits) {
    this.#limits = limits;
  }

  /** One more, of a connection that has had so many in a row; answers milliseconds before its next request, 0 for none. */
  count(inRow: number): number {
    const now = monotonicNow();
    if (now - this.#since >= SECOND_MS) this.#begin(now);
    this.#count++;
    const { refusals, refusalsPerSecond, refusalMs } = this.#limits;
    const times = Math.max(this.#count, this.#before) / refusalsPerSecond;
    if (inRow <= refusals && times <= 1) return 0;
    return refusalMs * Math.min(MOST_TIMES, Math.max(1, Math.ceil(times)));
  }

  #begin(now: number): void {
    this.#before = now - this.#since < 2 * SECOND_MS ? this.#count : 0;
    this.#since = now;
    this.#count = 0;
  }
}
