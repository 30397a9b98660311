import type { StreamResponse, Usage } from "@valinor/proto/valinor/v1/agent_proxy";

/** Tokens, as the model counted them. */
export interface TokenUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly totalTokens: number;
}

/** A call of a client tool, which the client runs; its answer is a message of role `tool`. */
export interface ToolCall {
  readonly callId: string;
  readonly toolName: string;
  /** As the model wrote them, normally a JSON object. */
  readonly arguments: string;
}

/** The stream is open: always the first event, and given once, however often the stream is resumed. */
export interface OpenedEvent {
  readonly type: "opened";
  /** Name of the run. */
  readonly requestId: string;
  /** Boot of the agent that holds the run. */
  readonly bootId: string;
  /** The run existed before this stream. */
  readonly attached: boolean;
  /** The stream survives cuts; false for agents of protocol 1. */
  readonly resumable: boolean;
  /** Name of the run's life: a run that begins anew under the same name has another. Empty if the agent tells none. */
  readonly life: string;
}

/** The next piece of the answer. */
export interface TextEvent {
  readonly type: "text";
  readonly sequence: number;
  readonly text: string;
}

/** The model calls a tool of the client. */
export interface ToolCallEvent extends ToolCall {
  readonly type: "tool_call";
  readonly sequence: number;
}

/** The run ended well: always the last event. */
export interface DoneEvent {
  readonly type: "done";
  readonly sequence: number;
  /** `stop`, `length`, `tool_calls`, or as the model says. */
  readonly finishReason: string;
  /** Undefined if the model did not count. */
  readonly usage: TokenUsage | undefined;
}

/** An event of a stream. Later versions may add types: ignore those you do not know. */
export type StreamEvent = OpenedEvent | TextEvent | ToolCallEvent | DoneEvent;

/** The event of a response; undefined for keepalives, and for kinds that only newer servers know. */
export function toEvent({ sequence, event }: StreamResponse): StreamEvent | undefined {
  switch (event.case) {
    case "opened": {
      const { requestId, bootId, attached, resumable, life } = event.value;
      return { type: "opened", requestId, bootId, attached, resumable, life };
    }
    case "textDelta":
      return { type: "text", sequence, text: event.value.text };
    case "toolCall": {
      const { callId, toolName, arguments: args } = event.value;
      return { type: "tool_call", sequence, callId, toolName, arguments: args };
    }
    case "done": {
      const { finishReason, usage } = event.value;
      return { type: "done", sequence, finishReason, usage: usage && toUsage(usage) };
    }
    case "keepalive":
    case undefined:
      return undefined;
  }
}

function toUsage({ promptTokens, completionTokens, totalTokens }: Usage): TokenUsage {
  return { promptTokens, completionTokens, totalTokens };
}
