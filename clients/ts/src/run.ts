import type { Client } from "@connectrpc/connect";
import type { AgentProxy } from "@valinor/proto/valinor/v1/agent_proxy";
import { readCall } from "./calls.ts";
import { cancelRun } from "./cancel.ts";
import { connectionLost, toValinorError, ValinorError } from "./errors.ts";
import type { StreamEvent } from "./events.ts";
import { type Delivery, Progress, type RunRequest } from "./progress.ts";
import { Outages, type RetryOptions } from "./retry.ts";
import type { Slots } from "./slots.ts";

/** Milliseconds that a call has to end after its last event. */
const END_MS = 1_000;
/** Milliseconds within which the server says which protocol an agent speaks. */
const STATUS_MS = 5_000;
/** The first protocol whose agents keep their runs, and so can say that they have none. */
const KEEPS_RUNS = 2;

/** A run to read, and how. */
export interface RunPlan extends RunRequest, RetryOptions {
  readonly giveUpAfterMs: number;
  readonly silenceMs: number;
  readonly slots: Slots | undefined;
  /** What becomes of the run when the reader leaves. */
  readonly onDisconnect: "cancel" | "continue";
  readonly signal: AbortSignal | undefined;
}

/** Reads a run through all cuts. Nothing happens before the first event is asked for. */
export class RunReader {
  readonly events: AsyncGenerator<StreamEvent, undefined>;
  readonly #client: Client<typeof AgentProxy>;
  readonly #plan: RunPlan;
  readonly #progress: Progress;
  readonly #gone = new AbortController();
  #started = false;
  #cancelled: Promise<void> | undefined;

  constructor(client: Client<typeof AgentProxy>, plan: RunPlan) {
    this.#client = client;
    this.#plan = plan;
    this.#progress = new Progress(plan);
    this.events = this.#read();
  }

  /** Whether the agent has the message, as far as it is known now. */
  get delivery(): Delivery {
    return this.#progress.delivery;
  }

  /** Leaves: the call is dropped, and the run cancelled if the plan says so. Resolves when that is done. */
  leave(reason: unknown): Promise<void> {
    this.#gone.abort(reason);
    const cancels = this.#started && !this.#progress.ended && this.#plan.onDisconnect === "cancel";
    this.#cancelled ??= cancels
      ? cancelRun(this.#client, this.#plan, () => this.#progress.opened)
      : Promise.resolve();
    return this.#cancelled;
  }

  async *#read(): AsyncGenerator<StreamEvent, undefined> {
    const { signal } = this.#plan;
    const onAbort = (): void => void this.leave(signal?.reason);
    signal?.throwIfAborted();
    signal?.addEventListener("abort", onAbort);
    this.#started = true;
    try {
      yield* this.#follow(this.#gone.signal);
    } finally {
      signal?.removeEventListener("abort", onAbort);
      if (this.#gone.signal.aborted) await this.leave(this.#gone.signal.reason);
      // What is over can't be left any more.
      this.#started = false;
    }
  }

  /** Makes call after call, until the run has ended or there is an error that no retry can help. */
  async *#follow(signal: AbortSignal): AsyncGenerator<StreamEvent, undefined> {
    const progress = this.#progress;
    const { slots, silenceMs, giveUpAfterMs } = this.#plan;
    const outages = new Outages(giveUpAfterMs, this.#plan);
    const patience = (): number => (progress.ended ? END_MS : silenceMs);
    const open = (call: AbortSignal) => this.#client.stream(progress.request(), { signal: call });
    for (;;) {
      const giveBack = slots && (await outages.uncounted(() => slots.take(signal)));
      try {
        for await (const response of readCall(open, patience, signal)) {
          const event = progress.take(response);
          outages.answered();
          if (response.event.case !== "opened") outages.over();
          if (event !== undefined) yield event;
        }
        if (progress.ended) return;
        throw connectionLost("the stream ended before the run did");
      } catch (thrown) {
        if (progress.ended) return;
        signal.throwIfAborted();
        giveBack?.();
        const failure = await this.#failureOf(toValinorError(thrown), signal);
        if (failure !== undefined) await outages.wait(failure, signal);
      } finally {
        giveBack?.();
      }
    }
  }

  /** What a failed call means: an error to meet, or undefined if the message may simply be sent again. Rejects with final errors. */
  async #failureOf(error: ValinorError, signal: AbortSignal): Promise<ValinorError | undefined> {
    if (!this.#progress.isForgotten(error)) return this.#progress.fail(error);
    const protocol = await this.#protocol(signal);
    if (protocol instanceof ValinorError) return this.#progress.fail(protocol);
    // An agent of protocol 1 knows none of its runs: sending the message again might run it twice.
    if (protocol < KEEPS_RUNS) return this.#progress.fail(error);
    this.#progress.sendAgain();
    return undefined;
  }

  /** Protocol that the agent speaks, or why that can't be said now. Rejects with the signal's reason. */
  async #protocol(signal: AbortSignal): Promise<number | ValinorError> {
    const { agentId } = this.#plan;
    try {
      return (await this.#client.getAgentStatus({ agentId }, { signal, timeoutMs: STATUS_MS })).protocol;
    } catch (error) {
      signal.throwIfAborted();
      return toValinorError(error);
    }
  }
}
