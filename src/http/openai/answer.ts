import type { RunEvent, SendResult, ToolCallEvent, Usage } from "../../core/types.ts";
import { eventJson, usageJson } from "../routing/event-stream.ts";

/** What every object of one answer has in common. */
export interface AnswerHead {
  readonly requestId: string;
  /** The agent's id. */
  readonly model: string;
  /** Seconds since the epoch. */
  readonly created: number;
}

/** Makes the events of one streamed answer. */
export interface ChunkEncoder {
  /** The first chunk: the role. */
  role(): string;
  /** A batch of events; after `done` the stream is complete, its mark included. */
  events(events: readonly RunEvent[]): string;
}

/** An answer that is not streamed. */
export function completionJson(head: AnswerHead, result: SendResult): object {
  const { content, toolCalls, finishReason, usage } = result;
  const calls = toolCalls.map(callJson);
  return {
    ...identity(head, "chat.completion"),
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: content === "" && calls.length > 0 ? null : content,
          refusal: null,
          ...(calls.length > 0 && { tool_calls: calls }),
        },
        logprobs: null,
        finish_reason: reasonOf(finishReason, calls.length),
      },
    ],
    ...(usage && { usage: usageJson(usage) }),
  };
}

/** Makes the encoder of a streamed answer. With `includeUsage`, a chunk with the usage alone comes last if the agent told it. */
export function chunkEncoder(head: AnswerHead, includeUsage: boolean): ChunkEncoder {
  const common = identity(head, "chat.completion.chunk");
  // The same bytes surround each word: they are made once.
  const prefix = `data: ${eventJson(common).slice(0, -1)},"choices":[{"index":0,"delta":`;
  const tail = `}]${includeUsage ? ',"usage":null' : ""}}\n\n`;
  const delta = (json: string, reason = "null") =>
    `${prefix}${json},"logprobs":null,"finish_reason":${reason}${tail}`;
  let calls = 0;

  function encode(event: RunEvent): string {
    switch (event.kind) {
      case "text":
        return delta(`{"content":${eventJson(event.text)}}`);
      case "tool_call":
        return delta(eventJson({ tool_calls: [{ index: calls++, ...callJson(event) }] }));
      case "keepalive":
        // No blank line: openai-go takes one without data for an event, and ends over it.
        return ": keepalive\n";
      case "done":
        return `${delta("{}", eventJson(reasonOf(event.finishReason, calls)))}${last(event.usage)}data: [DONE]\n\n`;
    }
  }

  function last(usage: Usage | undefined): string {
    if (!includeUsage || usage === undefined) return "";
    return `data: ${eventJson({ ...common, choices: [], usage: usageJson(usage) })}\n\n`;
  }

  return {
    role: () => delta('{"role":"assistant","content":"","refusal":null}'),
    events: (events) => events.map(encode).join(""),
  };
}

function identity({ requestId, model, created }: AnswerHead, object: string): object {
  return { id: `chatcmpl-${requestId}`, object, created, model };
}

function callJson({ callId, toolName, arguments: args }: ToolCallEvent): object {
  return { id: callId, type: "function", function: { name: toolName, arguments: args } };
}

/** Words of other servers for the reasons that OpenAI's clients know. */
const known: ReadonlyMap<string, string> = new Map(
  Object.entries({
    end_turn: "stop",
    eos: "stop",
    eos_token: "stop",
    stop_sequence: "stop",
    max_tokens: "length",
    max_length: "length",
    model_length: "length",
    model_context_window_exceeded: "length",
    safety: "content_filter",
    recitation: "content_filter",
    refusal: "content_filter",
    sensitive: "content_filter",
  }),
);

/** OpenAI's own. */
const openai: readonly string[] = ["stop", "length", "content_filter", "tool_calls", "function_call"];

/** Reasons for which a tool call may be half of one. */
const cutShort: readonly string[] = ["length", "content_filter"];

/** What a reason looks like. */
const WORD = /^[A-Za-z][\w:. -]{0,63}$/;

/**
 * The reason in OpenAI's words. An answer with tool calls waits for their results, whatever the model says, unless it was cut. A word
 * that is not known is passed on as it is, and what is not a word becomes `unknown`: neither counts as a success.
 */
function reasonOf(finishReason: string, calls: number): string {
  const word = finishReason.toLowerCase();
  const told = WORD.test(finishReason) ? finishReason : "unknown";
  const reason = known.get(word) ?? (openai.includes(word) ? word : told);
  return calls > 0 && !cutShort.includes(reason) ? "tool_calls" : reason;
}
