import type { TokenUsage, ToolCall } from "./events.ts";
import type { EventStream } from "./stream.ts";

/** An agent's whole answer. */
export interface SendResult {
  /** Name of the run. */
  readonly requestId: string;
  readonly content: string;
  /** `stop`, `length`, `tool_calls`, or as the model says. */
  readonly finishReason: string;
  /** Undefined if the model did not count. */
  readonly usage: TokenUsage | undefined;
  /** Calls of client tools, in the model's order. */
  readonly toolCalls: readonly ToolCall[];
  /** False for agents of protocol 1, which run every message that they are sent: the same call again runs it again. */
  readonly resumable: boolean;
}

/** Reads a stream to its end. Rejects as the stream does. */
export async function collect(stream: EventStream): Promise<SendResult> {
  const texts: string[] = [];
  const toolCalls: ToolCall[] = [];
  let finishReason = "";
  let resumable = true;
  let usage: TokenUsage | undefined;
  for await (const event of stream) {
    if (event.type === "text") texts.push(event.text);
    else if (event.type === "done") ({ finishReason, usage } = event);
    else if (event.type === "opened") ({ resumable } = event);
    else if (event.type === "tool_call") {
      const { callId, toolName, arguments: args } = event;
      toolCalls.push({ callId, toolName, arguments: args });
    }
  }
  const content = texts.join("");
  return { requestId: stream.requestId, content, finishReason, usage, toolCalls, resumable };
}
