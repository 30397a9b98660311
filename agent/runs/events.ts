import type {
  ChunkJson,
  ErrorJson,
  ToolBlockedJson,
  ToolCallJson,
  UsageJson,
} from "@valinor/proto/valinor/link/v1/link";
import type { ErrorCode } from "@valinor/protocol";

/** Room that a frame's envelope and the fields beside the text take at most: an id of 128 units is 768 bytes escaped. */
export const ENVELOPE_BYTES = 1024;

/** Reason of every blocked tool; peers of protocol 1 know this spelling. */
const NOT_ALLOWED = "tool not in allow-list";

/** Payload of `chunk` with text. The hot path: put together by hand, keys as JSON.stringify would order them. */
export function textJson(content: string, sequence: number, mark: number): string {
  return `{"content":${JSON.stringify(content)},"done":false,"sequence":${sequence},"mark":${mark}}`;
}

/** The payload of any other event with its mark, which stands last. */
export function withMark(json: string, mark: number): string {
  return `${json.slice(0, -1)},"mark":${mark}}`;
}

/** Payload of the `chunk` that ends a run, without its mark, as are those below. */
export function doneJson(sequence: number, finishReason: string, usage: UsageJson | undefined): string {
  const payload: ChunkJson = { content: "", done: true, sequence, finish_reason: finishReason };
  return JSON.stringify(usage === undefined ? payload : { ...payload, usage });
}

/** Payload of the `error` that ends a run. */
export function errorJson(code: ErrorCode, message: string, sequence: number): string {
  return JSON.stringify({ code, message, sequence } satisfies { [K in keyof ErrorJson]: unknown });
}

/** Payload of `tool_call`. */
export function toolCallJson(sequence: number, callId: string, toolName: string, args: string): string {
  const payload: ToolCallJson = { sequence, call_id: callId, tool_name: toolName, arguments: args };
  return JSON.stringify(payload);
}

/** Payload of `tool_blocked`. */
export function toolBlockedJson(sequence: number, toolName: string): string {
  const payload: ToolBlockedJson = { reason: NOT_ALLOWED, tool_name: toolName, sequence };
  return JSON.stringify(payload);
}
