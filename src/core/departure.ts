import type { Departure } from "./types.ts";

/** A client's end of a call, told by whoever watches its connection. Its signal is made for the first who asks. */
export class ClientDeparture implements Departure {
  #controller: AbortController | undefined;
  #call: (() => void) | undefined;
  #reason: Error | undefined;

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  /** Why nobody waits for the answer any more; undefined while somebody does. */
  get reason(): Error | undefined {
    return this.#reason;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.aborted) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  onGone(call: () => void): void {
    if (this.aborted) call();
    else this.#call = call;
  }

  /** Nobody waits any more. The first reason stays. */
  gone(reason: Error): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
    this.#call?.();
  }
}
