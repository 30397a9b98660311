import { monotonicNow } from "@valinor/protocol";

/** Longest delay that a timer of Node takes. */
const LONGEST_MS = 2 ** 31 - 1;

/** What is woken: a kernel. */
export interface Woken {
  nextWake(): number | undefined;
}

/** The one timer of a kernel: calls `wake` when the kernel next has something to do. */
export class WakeTimer {
  readonly #woken: Woken;
  readonly #wake: (now: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #at = Infinity;
  #stopped = false;

  constructor(woken: Woken, wake: (now: number) => void) {
    this.#woken = woken;
    this.#wake = wake;
  }

  /** To be called after every input of the kernel: it may have to be woken earlier than before. */
  arm(): void {
    const at = this.#woken.nextWake() ?? Infinity;
    if (at >= this.#at || this.#stopped) return;
    clearTimeout(this.#timer);
    this.#at = at;
    const wait = Math.ceil(at - monotonicNow());
    this.#timer = setTimeout(() => this.#fire(), Math.min(Math.max(wait, 1), LONGEST_MS));
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #fire(): void {
    this.#at = Infinity;
    this.#wake(monotonicNow());
    this.arm();
  }
}
