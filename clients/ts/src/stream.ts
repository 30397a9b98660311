import type { Client } from "@connectrpc/connect";
import type { AgentProxy } from "@valinor/proto/valinor/v1/agent_proxy";
import type { StreamEvent } from "./events.ts";
import type { Delivery } from "./progress.ts";
import type { RetryOptions } from "./retry.ts";
import { RunReader } from "./run.ts";
import type { Slots } from "./slots.ts";

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** Events of a run: an iterator of one pass that knows the run's name from the start. */
export interface EventStream extends AsyncIterableIterator<StreamEvent, undefined> {
  /** Name of the run. */
  readonly requestId: string;
  /**
   * Whether the agent has the message, as far as it is known now: `none` if it has not left or was refused, `unsure` if it left and no
   * answer came, `sure` if the run exists.
   */
  readonly delivery: Delivery;
  next(): Promise<IteratorResult<StreamEvent, undefined>>;
  /**
   * Leaves the stream, as `break` does: the call is dropped and the run cancelled, unless onDisconnect says `continue`. Resolves
   * once the server knows, or after 3 s. It may be called while `next` is pending.
   */
  return(): Promise<IteratorResult<StreamEvent, undefined>>;
}

/** What a stream is made from: StreamOptions or AttachOptions, and what they are for. */
export interface StreamPlan extends RetryOptions {
  readonly agentId: string;
  /** Absent: attach to the run `requestId`. */
  readonly message?: string | { readonly role?: "user" | "tool"; readonly content: string };
  readonly requestId?: string;
  readonly sentBefore?: boolean;
  readonly conversationId?: string;
  readonly allowStaleConfig?: boolean;
  readonly afterSequence?: number;
  readonly life?: string;
  readonly onDisconnect?: "cancel" | "continue";
  readonly silenceMs?: number;
  readonly slots?: Slots;
  readonly signal?: AbortSignal;
}

/** Makes the stream of a run; nothing is sent before its first event is asked for. */
export function createStream(client: Client<typeof AgentProxy>, plan: StreamPlan): EventStream {
  const { message, shouldRetry, onRetry, onResumed } = plan;
  const requestId = plan.requestId ?? randomId();
  const run = new RunReader(client, {
    agentId: plan.agentId,
    requestId,
    message: message === undefined ? undefined : messageOf(message),
    sentBefore: plan.sentBefore ?? false,
    conversationId: plan.conversationId ?? "",
    allowStaleConfig: plan.allowStaleConfig ?? false,
    afterSequence: plan.afterSequence ?? 0,
    life: plan.life ?? "",
    giveUpAfterMs: plan.giveUpAfterMs ?? 60_000,
    silenceMs: plan.silenceMs ?? 45_000,
    onDisconnect: plan.onDisconnect ?? (message === undefined ? "continue" : "cancel"),
    slots: plan.slots,
    signal: plan.signal,
    ...(shouldRetry && { shouldRetry }),
    ...(onRetry && { onRetry }),
    ...(onResumed && { onResumed }),
  });
  let left = false;
  const stream: EventStream = {
    requestId,
    get delivery() {
      return run.delivery;
    },
    // A `next` that waits while `return` is called ends the stream; it does not fail.
    next: () =>
      run.events.next().catch((error: unknown) => {
        if (left) return END;
        throw error;
      }),
    async return() {
      left = true;
      await run.leave(new DOMException("the reader left", "AbortError"));
      // The reader left: how its call ends is no news to it.
      await run.events.return(undefined).catch(() => {});
      return END;
    },
    [Symbol.asyncIterator]: () => stream,
  };
  return stream;
}

function messageOf(message: NonNullable<StreamPlan["message"]>): { role: string; content: string } {
  if (typeof message === "string") return { role: "user", content: message };
  return { role: message.role ?? "user", content: message.content };
}

/** 128 random bits. Not `crypto.randomUUID`, which pages without HTTPS do not have. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
