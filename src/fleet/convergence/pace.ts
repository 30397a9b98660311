import { limits, longestPauseMs, type Pace, pauseMs } from "@valinor/protocol";

/** Pauses between two rounds that fail. */
const ROUNDS: Pace = { firstMs: limits.redialMinMs, longestMs: limits.redialMaxMs };

/** Milliseconds after which what nobody can bring to the guest is looked at again. */
const PARKED_MS = 60_000;

/** The pause before a further round: a random time below a bound that doubles with each failure in a row, from 100 ms (twice `redialMinMs`) to 5 s. */
export class Pause {
  #failures = 0;
  #endsAt: number | undefined;

  /** When it is over; undefined if there is none. */
  get endsAt(): number | undefined {
    return this.#endsAt;
  }

  /** A round has failed: the pause is at least so long. `random` is from 0 up to 1. */
  begin(leastMs: number, random: number, now: number): void {
    this.#endsAt = now + Math.max(pauseMs(ROUNDS, ++this.#failures, random), leastMs);
  }

  /** Nobody can bring it to the guest: it is looked at again, since another process may take back what the guest turned down. */
  park(now: number): void {
    this.#endsAt = now + PARKED_MS;
  }

  /** There is something to do before its end; the next one will be as long as this one would have made it. */
  end(): void {
    this.#endsAt = undefined;
  }

  /** A round has not failed, or there is no link: the next pause is a short one. */
  reset(): void {
    this.#failures = 0;
    this.#endsAt = undefined;
  }
}

/** First and longest time between two uses of a gap, milliseconds. */
const GAP_MS = { least: 500, most: 60_000 };

/** Keeps apart what heartbeats set off: a guest that contradicts itself must not keep its host busy. */
export class Gap {
  #ms: number = GAP_MS.least;
  #usedAt = -Infinity;
  #wakeAt: number | undefined;

  /** When it opens again for what was turned away; undefined if nothing was. */
  get wakeAt(): number | undefined {
    return this.#wakeAt;
  }

  /** True if it is open; if not, `wakeAt` names the time at which to ask again. */
  isOpen(now: number): boolean {
    const opensAt = this.#usedAt + this.#ms;
    this.#wakeAt = now < opensAt ? opensAt : undefined;
    return now >= opensAt;
  }

  /** The time that `wakeAt` named has come. */
  woken(): void {
    this.#wakeAt = undefined;
  }

  /** It was used: the next one is twice as long if it comes soon. */
  use(now: number): void {
    const isSoon = now - this.#usedAt < 3 * this.#ms;
    this.#ms = isSoon ? Math.min(2 * this.#ms, GAP_MS.most) : GAP_MS.least;
    this.#usedAt = now;
  }

  /** The link is another one, or gone. */
  reset(): void {
    this.#ms = GAP_MS.least;
    this.#usedAt = -Infinity;
    this.#wakeAt = undefined;
  }
}

/** Least time between two raises, milliseconds; it doubles with each up to the most: a guest that lies must not write the store. */
const RAISES: Pace = { firstMs: 1_000, longestMs: 600_000 };

/** Keeps raises of the revision apart. */
export class RaisePace {
  #raises = 0;
  #openAt = -Infinity;

  /** Milliseconds until the next one is allowed; 0: now. */
  waitMs(now: number): number {
    return Math.max(0, this.#openAt - now);
  }

  /** One was made. */
  use(now: number): void {
    this.#openAt = now + longestPauseMs(RAISES, this.#raises++);
  }
}

/** The earlier of two times; undefined if there is none. */
export function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}
