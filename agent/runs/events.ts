import type {
  ChunkJson,
  ErrorJson,
  OpenedJson,
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

/** Payload of the `chunk` that ends a run, without its mark; so are those below. */
export function doneJson(sequence: number, finishReason: string, usage: UsageJson | undefined): string {
  const payload: ChunkJson = { content: "", done: true, sequence, finish_reason: finishReason };
  return JSON.stringify(usage === undefined ? payload : { ...payload, usage });
}

/** Payload of `error`; without a sequence it ends only the exchange. */
export function errorJson(code: ErrorCode, message: string, sequence?: number): string {
  return JSON.stringify({ code, message, sequence } satisfies { [K in keyof ErrorJson]: unknown });
}

/** Payload of `opened`. */
export function openedJson(bootId: string, attached: boolean, nextSequence: number, life: string): string {
  const payload: OpenedJson = { boot_id: bootId, attached, next_sequence: nextSequence, life };
  return JSON.stringify(payload);
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

/**
 * Cuts text into pieces whose JSON is at most `bytes` long, never inside a surrogate pair. Text that certainly fits is not
 * measured: a UTF-16 unit takes 6 bytes at most.
 */
export function splitText(text: string, bytes: number): string[] {
  if (text.length * 6 + 2 <= bytes) return [text];
  const pieces: string[] = [];
  for (let at = 0; at < text.length;) {
    let length = bytes;
    let piece = cut(text, at, length);
    while (Buffer.byteLength(JSON.stringify(piece)) > bytes) {
      length = Math.max(2, Math.floor(length / 2));
      piece = cut(text, at, length);
    }
    pieces.push(piece);
    at += piece.length;
  }
  return pieces;
}

/** At most `length` units (2 or more) from `at`, one fewer where that would part a surrogate pair. */
function cut(text: string, at: number, length: number): string {
  const end = at + length;
  return text.slice(at, end < text.length && endsInHighSurrogate(text, end) ? end - 1 : end);
}

/** True where the unit before `end` is the first half of a surrogate pair. */
export function endsInHighSurrogate(text: string, end: number): boolean {
  const unit = text.charCodeAt(end - 1);
  return unit >= 0xd800 && unit <= 0xdbff;
}
