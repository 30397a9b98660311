import { Failure, monotonicNow } from "@valinor/protocol";
import type { GuestKernel } from "./kernel/guest-kernel.ts";
import { errorName } from "./log.ts";
import type { OpenClaw } from "./openclaw/client.ts";
import type { ModelRequest } from "./runs/model.ts";

/** A call that is under way. */
interface OpenCall {
  readonly abort: AbortController;
  /** Resolves when more of the answer may be read; undefined while it may. */
  room: Promise<void> | undefined;
  makeRoom: (() => void) | undefined;
}

/** The model's calls of all runs: carries out what the kernel orders, and tells it what comes of that. */
export class ModelCalls {
  readonly #openclaw: OpenClaw;
  readonly #kernel: GuestKernel;
  readonly #afterInput: () => void;
  readonly #calls = new Map<string, OpenCall>();

  constructor(openclaw: OpenClaw, kernel: GuestKernel, afterInput: () => void) {
    this.#openclaw = openclaw;
    this.#kernel = kernel;
    this.#afterInput = afterInput;
  }

  /** Calls the model for the run of that life. */
  begin(life: string, request: ModelRequest, watchTools: boolean): void {
    const call: OpenCall = { abort: new AbortController(), room: undefined, makeRoom: undefined };
    this.#calls.set(life, call);
    void this.#run(life, call, request, watchTools);
  }

  /** Reads no more of the answer until `resume`. */
  pause(life: string): void {
    const call = this.#calls.get(life);
    if (call === undefined || call.room !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    call.room = promise;
    call.makeRoom = resolve;
  }

  resume(life: string): void {
    const call = this.#calls.get(life);
    call?.makeRoom?.();
    if (call !== undefined) call.room = call.makeRoom = undefined;
  }

  /** Drops a call. One that has answered in full ends by itself, and its connection can serve again. */
  end(life: string, answered: boolean): void {
    this.resume(life);
    if (!answered) this.#calls.get(life)?.abort.abort();
    this.#calls.delete(life);
  }

  async #run(life: string, call: OpenCall, request: ModelRequest, watchTools: boolean): Promise<void> {
    const kernel = this.#kernel;
    const onTool = (name: string) => {
      kernel.modelTool(life, name, monotonicNow());
      this.#afterInput();
    };
    try {
      await this.#openclaw.run(
        request,
        call.abort.signal,
        (events) => {
          kernel.modelEvents(life, events, monotonicNow());
          this.#afterInput();
          return call.room;
        },
        watchTools ? onTool : undefined,
      );
    } catch (error) {
      const { code, message, cause } = Failure.from(error);
      const reason = cause === undefined ? undefined : errorName(cause);
      kernel.modelFailed(life, { code, message, cause: reason }, monotonicNow());
      this.#afterInput();
    }
  }
}
