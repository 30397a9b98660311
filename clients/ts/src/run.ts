import type { Client } from "@connectrpc/connect";
import {
  type AgentProxy,
  OnDisconnect,
  type StreamRequestSchema,
  type StreamResponse,
} from "@valinor/proto/valinor/v1/agent_proxy";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { clientReasons } from "@valinor/proto/reasons";
import { readCall } from "./calls.ts";
import { connectionLost, isReason, isTransient, ofRun, toValinorError, ValinorError } from "./errors.ts";
import { type StreamEvent, toEvent } from "./events.ts";
import { unsureReasons } from "./reasons.ts";
import { createOutages, type RetryOptions, sleep } from "./retry.ts";

/** Milliseconds within which a run is cancelled after its reader has left; what is not cancelled by then goes on. */
const CANCEL_MS = 3_000;
/** How often a run is looked for whose stream was left before it was opened. */
const CANCEL_LOOKS = 4;
/** Milliseconds that a call has to end after its last event. */
const END_MS = 1_000;

/** A run to read: one that is to be made, or one that exists. */
export interface RunPlan extends RetryOptions {
  readonly agentId: string;
  readonly requestId: string;
  /** Absent: the run exists. */
  readonly message: { readonly role: string; readonly content: string } | undefined;
  readonly conversationId: string;
  readonly allowStaleConfig: boolean;
  readonly afterSequence: number;
  /** Life that the run must have; empty: any. */
  readonly life: string;
  readonly giveUpAfterMs: number;
  readonly silenceMs: number;
  /** What becomes of the run when the reader leaves. */
  readonly onDisconnect: "cancel" | "continue";
  readonly signal: AbortSignal | undefined;
}

/** Where the reading of a run stands. */
interface Progress {
  /** Number of the last event that was given. */
  sequence: number;
  /** Life of the run that is being read; empty while it is not known. */
  life: string;
  /** The `opened` event was given. */
  opened: boolean;
  /** Whether the agent has the message: `unsure` where it left, and no answer came. */
  delivery: "none" | "unsure" | "sure";
  /** The run can be read again after a cut. */
  resumable: boolean;
  /** The run has ended, or this reader knows that there is none. */
  ended: boolean;
}

/** The events of a run, and how to leave it. */
export interface RunReader {
  readonly events: AsyncGenerator<StreamEvent, undefined>;
  /** Leaves: the call is dropped, and the run cancelled where the plan says so. Resolves when that is done. */
  leave(reason: unknown): Promise<void>;
}

/** Reads a run through all cuts. Nothing happens before the first event is asked for. */
export function readRun(client: Client<typeof AgentProxy>, plan: RunPlan): RunReader {
  const progress: Progress = {
    sequence: plan.afterSequence,
    life: plan.life,
    opened: false,
    delivery: plan.message === undefined || plan.afterSequence > 0 ? "sure" : "none",
    resumable: true,
    ended: false,
  };
  const gone = new AbortController();
  let started = false;
  let cancelled: Promise<void> | undefined;
  const leave = (reason: unknown): Promise<void> => {
    gone.abort(reason);
    const cancels = started && !progress.ended && plan.onDisconnect === "cancel";
    cancelled ??= cancels ? cancelRun(client, plan, progress) : Promise.resolve();
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
  return { events: events(), leave };
}

async function* follow(
  client: Client<typeof AgentProxy>,
  plan: RunPlan,
  progress: Progress,
  signal: AbortSignal,
): AsyncGenerator<StreamEvent, undefined> {
  const outages = createOutages(plan.giveUpAfterMs, plan.onRetry);
  const silenceMs = (): number => (progress.ended ? END_MS : plan.silenceMs);
  for (;;) {
    try {
      const open = (call: AbortSignal) => client.stream(requestOf(plan, progress), { signal: call });
      for await (const response of readCall(open, silenceMs, signal)) {
        const event = advance(progress, response);
        if (response.event.case !== "opened") outages.over();
        if (event !== undefined) yield event;
      }
      if (progress.ended) return;
      throw connectionLost("the stream ended before the run did");
    } catch (thrown) {
      if (progress.ended) return;
      signal.throwIfAborted();
      const failure = await failureOf(client, plan, progress, toValinorError(thrown), signal);
      if (failure !== undefined) await outages.wait(failure, signal);
    }
  }
}

/** Once the agent is known to have the message, or may have it, the call only attaches: it can't make the run twice. */
function requestOf(plan: RunPlan, progress: Progress): MessageInitShape<typeof StreamRequestSchema> {
  const { agentId, requestId, conversationId, allowStaleConfig, message } = plan;
  return {
    agentId,
    requestId,
    afterSequence: progress.sequence,
    life: progress.life,
    // A cut looks to the server as if the reader had left: the run must outlive it. Leaving cancels in words.
    onDisconnect: OnDisconnect.CONTINUE,
    ...(progress.delivery === "none" && message !== undefined
      ? { message, conversationId, allowStaleConfig }
      : {}),
  };
}

/** Takes a response into account; the event to give, if it is a new one. Throws ValinorError where events are missing. */
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
  return new ValinorError("SEQUENCE_GAP", `event ${next} follows event ${last}`, {
    code: clientReasons.SEQUENCE_GAP,
  });
}

/** What a failed attempt means: an error to meet, or undefined where the message may simply be sent again. Throws final errors. */
async function failureOf(
  client: Client<typeof AgentProxy>,
  plan: RunPlan,
  progress: Progress,
  error: ValinorError,
  signal: AbortSignal,
): Promise<ValinorError | undefined> {
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

/**
 * Cancels the run of a reader that has left. A message that is still under way has no run yet that could be found: until the stream
 * was opened, it is looked for a few times.
 */
async function cancelRun(
  client: Client<typeof AgentProxy>,
  plan: RunPlan,
  progress: Progress,
): Promise<void> {
  const { agentId, requestId } = plan;
  const signal = AbortSignal.timeout(CANCEL_MS);
  const settle = async (looked: number): Promise<boolean> => {
    try {
      const reason = "the client left";
      const { found } = await client.cancelMessage({ agentId, requestId, reason }, { signal });
      return found || progress.opened || looked > CANCEL_LOOKS;
    } catch (error) {
      return !isTransient(toValinorError(error));
    }
  };
  for (let looked = 1; !signal.aborted && !(await settle(looked)); looked++) {
    // When the time is over there is nobody left to tell.
    await sleep(50 * looked, signal).catch(() => {});
  }
}
