import { type Pace, pauseMs } from "../../rules/backoff.ts";
import { limits } from "../../wire/limits.ts";

/** A request that waits for the link lets attempts follow each other at most this far apart, a pause of the least length not counted. */
const WAITED_FOR_MS = 250;

/** A connection that lasts shorter, milliseconds, counts like a failed attempt: a guest that flaps must not keep its host busy. */
const STEADY_MS = 10_000;
/** As many of them in a row make the pause longer, to 1.6 s at most: a guest that starts a few times is there soon. */
const FLAPS = 5;

const PACE: Pace = { firstMs: limits.redialMinMs, longestMs: limits.redialMaxMs };

/**
 * Says when a link is to be dialled. Between two attempts is a pause: the least one, and a random time after it, which grows with each failure,
 * is bounded if a request waits for the link, and is cut short by one that comes meanwhile.
 */
export class Redial {
  #failures = 0;
  #flaps = 0;
  #upAt: number | undefined;
  #notBefore = 0;
  #at: number | undefined = 0;

  /** When to dial; undefined while an attempt is under way or the link is up. */
  get at(): number | undefined {
    return this.#at;
  }

  /** An attempt begins. */
  begun(): void {
    this.#at = undefined;
  }

  /** The attempt succeeded. */
  up(now: number): void {
    this.#upAt = now;
  }

  /** The attempt failed, or the link that was up is lost; `waited`: a request waits for it. */
  down(now: number, waited: boolean, random: number): void {
    if (this.#upAt !== undefined) {
      this.#flaps = now - this.#upAt < STEADY_MS ? Math.min(this.#flaps + 1, FLAPS) : 0;
      this.#failures = this.#flaps;
      this.#upAt = undefined;
    }
    const pause = pauseMs(PACE, this.#failures++, random);
    this.#notBefore = now + limits.redialMinMs;
    this.#at = this.#notBefore + Math.min(pause, waited ? WAITED_FOR_MS : limits.redialMaxMs);
  }

  /** Another request waits for the link from now on. */
  wanted(now: number): void {
    if (this.#at !== undefined) this.#at = Math.min(this.#at, Math.max(now, this.#notBefore));
  }
}
