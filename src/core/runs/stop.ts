import type { Lifecycle } from "../lifecycle.ts";

/** Why a call ends before its answer: its client has left, it has taken too long, or the server reads runs no further. */
export type StopReason = "left" | "late" | "ending";

/**
 * The early end of a call. One listener on its client's signal and one timer for all of its way: whoever waits on it says how it is to be
 * told, and an AbortSignal is made only for what can't be told otherwise.
 */
export class Stop {
  readonly #client: AbortSignal;
  readonly #onLeave = () => this.#end("left");
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #forget: () => void;
  #reason: StopReason | undefined;
  #tell: ((reason: StopReason) => void) | undefined;
  #controller: AbortController | undefined;

  /** `ms`: how long the call may take; undefined: as long as it likes. */
  constructor(client: AbortSignal, lifecycle: Lifecycle, ms?: number) {
    this.#client = client;
    client.addEventListener("abort", this.#onLeave, { once: true });
    if (client.aborted) this.#end("left");
    if (ms !== undefined) this.#timer = setTimeout(() => this.#end("late"), ms);
    this.#forget = lifecycle.on("ending", () => this.#end("ending"));
  }

  /** The first reason there was; undefined while the call may go on. */
  get reason(): StopReason | undefined {
    return this.#reason;
  }

  /** For what waits for long, or elsewhere: aborts with the call's early end. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort();
    return this.#controller.signal;
  }

  /** Says who waits now, and is to be told; at once if the end has come already. Whoever waited before is not told any more. */
  tell(waiting: ((reason: StopReason) => void) | undefined): void {
    this.#tell = waiting;
    if (this.#reason !== undefined) waiting?.(this.#reason);
  }

  /** The call is over: nobody is told any more. */
  release(): void {
    this.#tell = undefined;
    clearTimeout(this.#timer);
    this.#client.removeEventListener("abort", this.#onLeave);
    this.#forget();
  }

  #end(reason: StopReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#tell?.(reason);
    this.#controller?.abort();
  }
}
