import { limits } from "@valinor/protocol";

/** One who waits to dial. */
export interface DialTicket {
  /** A request waits for this link now: it goes before those that nobody waits for. */
  hurry(): void;
  /** Resolves when it may dial; at once it does so for good if the signal has aborted. */
  readonly turn: Promise<void>;
}

/**
 * Bounds how many links of a process are dialled at once. An attempt counts until it is over, and for one second at most: guests that
 * accept and say nothing hold up no others for longer.
 */
export class Dials {
  readonly #waiting = new Set<() => void>();
  readonly #urgent = new Set<() => void>();
  #young = 0;

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size + this.#urgent.size;
  }

  /** Begins an attempt; answers what is to be called at its end, or undefined if it must wait. */
  begin(): (() => void) | undefined {
    if (this.#young >= limits.dialsAtOnce) return undefined;
    this.#young++;
    let young = true;
    const end = () => {
      clearTimeout(timer);
      if (!young) return;
      young = false;
      this.#young--;
      this.#wakeNext();
    };
    const timer = setTimeout(end, limits.dialYoungMs).unref();
    return end;
  }

  /** Waits until an attempt may be begun; then `begin` is to be tried again. */
  wait(signal: AbortSignal): DialTicket {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => {
      this.#waiting.delete(wake);
      this.#urgent.delete(wake);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    this.#waiting.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    if (signal.aborted) wake();
    return {
      turn: promise,
      hurry: () => {
        if (this.#waiting.delete(wake)) this.#urgent.add(wake);
      },
    };
  }

  #wakeNext(): void {
    for (const wake of this.#urgent) return wake();
    for (const wake of this.#waiting) return wake();
  }
}
