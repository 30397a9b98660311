import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  OnDisconnect,
  type StreamRequestSchema,
  type StreamResponse,
} from "@valinor/proto/valinor/v1/agent_proxy";
import { clientReasons } from "@valinor/proto/reasons";
import { isReason, ofRun, ValinorError } from "./errors.ts";
import { type StreamEvent, toEvent } from "./events.ts";
import { unsureReasons } from "./reasons.ts";

/** A run to read, and what is known of it. */
export interface RunRequest {
  readonly agentId: string;
  readonly requestId: string;
  /** Absent: the run exists. */
  readonly message: { readonly role: string; readonly content: string } | undefined;
  /** The agent may have the message already. */
  readonly sentBefore: boolean;
  readonly conversationId: string;
  readonly allowStaleConfig: boolean;
  /** Number of the last event that is known; 0: none. */
  readonly afterSequence: number;
  /** Life that the run must have; empty: any. */
  readonly life: string;
}

/**
 * Whether the agent has a message: `none`: it has not left, or was refused; `unsure`: it left, and no answer came; `sure`: the run
 * exists.
 */
export type Delivery = "none" | "unsure" | "sure";

/**
 * Where the reading of a run stands: what was read of it, and whether the agent has its message. By that it decides what each call
 * asks for, and what each failure means. It does no I/O.
 */
export class Progress {
  readonly #run: RunRequest;
  #sequence: number;
  #life: string;
  #delivery: Delivery;
  /** A call that carries the message is under way. */
  #sending = false;
  #opened = false;
  #resumable = true;
  #ended = false;

  constructor(run: RunRequest) {
    const exists = run.message === undefined || run.afterSequence > 0;
    this.#run = run;
    this.#sequence = run.afterSequence;
    this.#life = run.life;
    this.#delivery = exists ? "sure" : run.sentBefore ? "unsure" : "none";
  }

  /** The `opened` event was given. */
  get opened(): boolean {
    return this.#opened;
  }

  /** The run's last event was given. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the agent has the message, as far as it is known now. */
  get delivery(): Delivery {
    return this.#sending && this.#delivery === "none" ? "unsure" : this.#delivery;
  }

  /** The next call. Once the agent is known to have the message, or may have it, it only attaches: it can't make the run twice. */
  request(): MessageInitShape<typeof StreamRequestSchema> {
    const { agentId, requestId, conversationId, allowStaleConfig, message } = this.#run;
    this.#sending = this.#delivery === "none";
    return {
      agentId,
      requestId,
      afterSequence: this.#sequence,
      life: this.#life,
      // A cut looks to the server as if the reader had left: the run must outlive it. Leaving cancels in words.
      onDisconnect: OnDisconnect.CONTINUE,
      ...(this.#sending && message !== undefined ? { message, conversationId, allowStaleConfig } : {}),
    };
  }

  /** Takes a response in; the event to give, if it is a new one. Throws ValinorError if events are missing. */
  take(response: StreamResponse): StreamEvent | undefined {
    const event = toEvent(response);
    if (event?.type === "opened") {
      this.#delivery = "sure";
      this.#resumable = event.resumable;
      this.#life = event.life;
      const first = !this.#opened;
      this.#opened = true;
      return first ? event : undefined;
    }
    const { sequence } = response;
    if (sequence === 0 || sequence <= this.#sequence) return undefined;
    if (sequence !== this.#sequence + 1) throw gap(this.#sequence + 1, sequence);
    this.#sequence = sequence;
    this.#ended = event?.type === "done";
    return event;
  }

  /** True if a failure says that the agent has no such run, and it is in doubt whether it ever got the message. */
  isForgotten(error: ValinorError): boolean {
    return this.#delivery === "unsure" && isReason(error, "RUN_UNKNOWN");
  }

  /** The agent keeps its runs, and has none of this name: the message may be sent as if for the first time. */
  sendAgain(): void {
    this.#delivery = "none";
  }

  /** Takes the failure of a call in; gives the error to meet, which names the run. Throws it if the run cannot be read on. */
  fail(error: ValinorError): ValinorError {
    // A server that stops says by its last event that the agent may have the message.
    const unsure = unsureReasons.has(error.reason) || error.metadata["last_sequence"] !== undefined;
    if (this.#delivery === "none" && unsure) this.#delivery = "unsure";
    this.#sending = false;
    const failure = ofRun(error, this.#run.requestId, this.#sequence);
    if (error.sequence !== undefined || !this.#resumable) throw failure;
    return failure;
  }
}

function gap(expected: number, got: number): ValinorError {
  return new ValinorError("SEQUENCE_GAP", `expected event ${expected}, got event ${got}`, {
    code: clientReasons.SEQUENCE_GAP,
  });
}
