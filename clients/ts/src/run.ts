import type { Client } from "@connectrpc/connect";
import {
  type AgentProxy,
  OnDisconnect,
  type StreamRequestSchema,
  type StreamResponse,
} from "@valinor/proto/valinor/v1/agent_proxy";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { readCall } from "./calls.ts";
import { cancelRun } from "./cancel.ts";
import { connectionLost, isReason, ofRun, toValinorError, ValinorError } from "./errors.ts";
import { type StreamEvent, toEvent } from "./events.ts";
import { unsureReasons } from "./reasons.ts";
import { Outages, type RetryOptions } from "./retry.ts";
import type { Slots } from "./slots.ts";

/** Milliseconds that a call has to end after its last event. */
const END_MS = 1_000;

/** A run to read: one that is to be made, or one that exists. */
export interface RunPlan extends RetryOptions {
  readonly agentId: string;
  readonly requestId: string;
  /** Absent: the run exists. */
  readonly message: { readonly role: string; readonly content: string } | undefined;
  /** The agent may have the message already. */
  readonly sentBefore: boolean;
  readonly conversationId: string;
  readonly allowStaleConfig: boolean;
  readonly afterSequence: number;
  /** Life that the run must have; empty: any. */
  readonly life: string;
  readonly giveUpAfterMs: number;
  readonly silenceMs: number;
  readonly slots: Slots | undefined;
  /** What becomes of the run when the reader leaves. */
  readonly onDisconnect: "cancel" | "continue";
  readonly signal: AbortSignal | undefined;
}

/**
 * Whether the agent has a message: `none`: it has not left, or was refused; `unsure`: it left, and no answer came; `sure`: the run
 * exists.
 */
export type Delivery = "none" | "unsure" | "sure";

/** Where the reading of a run stands. */
interface Progress {
  /** Number of the last event that was given. */
  sequence: number;
  /** Life of the run that is being read; empty while it is not known. */
  life: string;
  /** The `opened` event was given. */
  opened: boolean;
  delivery: Delivery;
  /** A call that carries the message is under way. */
  sending: boolean;
  /** The run can be read again after a cut. */
  resumable: boolean;
  /** The run has ended, or this reader knows that there is none. */
  ended: boolean;
}

/** The events of a run, and how to leave it. */
export interface RunReader {
  readonly events: AsyncGenerator<StreamEvent, undefined>;
  /** Whether the agent has the message, as far as it is known now. */
  delivery(): Delivery;
  /** Leaves: the call is dropped, and the run cancelled if the plan says so. Resolves when that is done. */
  leave(reason: unknown): Promise<void>;
}

/** Reads a run through all cuts. Nothing happens before the first event is asked for. */
export function readRun(client: Client<typeof AgentProxy>, plan: RunPlan): RunReader {
  const progress = beginOf(plan);
  const gone = new AbortController();
  let started = false;
  let cancelled: Promise<void> | undefined;
  const leave = (reason: unknown): Promise<void> => {
    gone.abort(reason);
    const cancels = started && !progress.ended && plan.onDisconnect === "cancel";
    cancelled ??= cancels ? cancelRun(client, plan, () => progress.opened) : Promise.resolve();
    return cancelled;
  };
  const onAbort = (): void => void leave(plan.signal?.reason);

  async function* events(): AsyncGenerator<StreamEvent, undefined> {
    plan.signal?.throwIfAborted();
    plan.signal?.addEventListener("abort", onAbort);
    started = true;
    try {
      yield* follow(client, plan, progress, gone.signal);
    } finally {
      plan.signal?.removeEventListener("abort", onAbort);
      if (gone.signal.aborted) await leave(gone.signal.reason);
      // What is over can't be left any more.
      started = false;
    }
  }
  const delivery = (): Delivery =>
    progress.sending && progress.delivery === "none" ? "unsure" : progress.delivery;
  return { events: events(), delivery, leave };
}

function beginOf({ message, sentBefore, afterSequence, life }: RunPlan): Progress {
  const known = message === undefined || afterSequence > 0;
  const delivery = known ? "sure" : sentBefore ? "unsure" : "none";
  return {
    sequence: afterSequence,
    life,
    opened: false,
    delivery,
    sending: false,
    resumable: true,
    ended: false,
  };
}

async function* follow(
  client: Client<typeof AgentProxy>,
  plan: RunPlan,
  progress: Progress,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent, undefined> {
  const outages = new Outages(plan.giveUpAfterMs, plan);
  const silenceMs = (): number => (progress.ended ? END_MS : plan.silenceMs);
  const { slots } = plan;
  for (;;) {
    const giveBack = slots && (await outages.uncounted(() => slots.take(signal)));
    try {
      const open = (call: AbortSignal) => client.stream(requestOf(plan, progress), { signal: call });
      for await (const response of readCall(open, silenceMs, signal)) {
        const event = advance(progress, response);
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
      const failure = await failureOf(client, plan, progress, toValinorError(thrown), signal);
      if (failure !== undefined) await outages.wait(failure, signal);
    } finally {
      giveBack?.();
    }
  }
}

/** Once the agent is known to have the message, or may have it, the call only attaches: it can't make the run twice. */
function requestOf(plan: RunPlan, progress: Progress): MessageInitShape<typeof StreamRequestSchema> {
  const { agentId, requestId, conversationId, allowStaleConfig, message } = plan;
  progress.sending = progress.delivery === "none" && message !== undefined;
  return {
    agentId,
    requestId,
    afterSequence: progress.sequence,
    life: progress.life,
    // A cut looks to the server as if the reader had left: the run must outlive it. Leaving cancels in words.
    onDisconnect: OnDisconnect.CONTINUE,
    ...(progress.sending && message !== undefined ? { message, conversationId, allowStaleConfig } : {}),
  };
}

/** Takes a response into account; the event to give, if it is a new one. Throws ValinorError if events are missing. */
function advance(progress: Progress, response: StreamResponse): StreamEvent | undefined {
  const event = toEvent(response);
  if (event?.type === "opened") {
    progress.delivery = "sure";
    progress.resumable = event.resumable;
    progress.life = event.life;
    const first = !progress.opened;
    progress.opened = true;
    return first ? event : undefined;
  }
  if (response.sequence === 0 || response.sequence <= progress.sequence) return undefined;
  if (response.sequence !== progress.sequence + 1) throw gap(progress.sequence, response.sequence);
  progress.sequence = response.sequence;
  progress.ended = event?.type === "done";
  return event;
}

function gap(last: number, next: number): ValinorError {
  return new ValinorError("SEQUENCE_GAP", `event ${next} follows event ${last}`, { code: "data_loss" });
}

/** What a failed attempt means: an error to meet, or undefined if the message may simply be sent again. Throws final errors. */
async function failureOf(
  client: Client<typeof AgentProxy>,
  plan: RunPlan,
  progress: Progress,
  error: ValinorError,
  signal: AbortSignal,
): Promise<ValinorError | undefined> {
  progress.sending = false;
  if (progress.delivery === "unsure" && isReason(error, "RUN_UNKNOWN")) {
    const protocol = await protocolOf(client, plan.agentId, signal);
    if (protocol instanceof ValinorError) return ofRun(protocol, plan.requestId, progress.sequence);
    // Of protocol 1 no agent knows its runs: sending the message again might run it twice.
    if (protocol >= 2) {
      progress.delivery = "none";
      return undefined;
    }
  }
  // A server that stops says by its last event that the agent may have the message.
  const unsure = unsureReasons.has(error.reason) || error.metadata["last_sequence"] !== undefined;
  if (progress.delivery === "none" && unsure) progress.delivery = "unsure";
  const failure = ofRun(error, plan.requestId, progress.sequence);
  if (error.sequence !== undefined || !progress.resumable) throw failure;
  return failure;
}

/** Protocol that an agent speaks, or why that can't be said now. Rejects with the signal's reason. */
async function protocolOf(
  client: Client<typeof AgentProxy>,
  agentId: string,
  signal: AbortSignal,
): Promise<number | ValinorError> {
  try {
    return (await client.getAgentStatus({ agentId }, { signal, timeoutMs: 5_000 })).protocol;
  } catch (error) {
    signal.throwIfAborted();
    return toValinorError(error);
  }
}
