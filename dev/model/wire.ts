import { randomBytes } from "node:crypto";

/** Tokens as OpenAI counts them; here a word is a token. */
export interface TokenUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

/** A tool call as an answer has it that is not streamed. */
export interface OpenAIToolCall {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
}

/** Makes the server-sent events of one streamed answer. */
export interface ChunkEvents {
  role(): string;
  text(piece: string): string;
  /** The call's name and id first, then its arguments in several deltas, as OpenAI sends them. */
  toolCall(index: number, call: OpenAIToolCall): string;
  finish(reason: string): string;
  usage(usage: TokenUsage): string;
}

/** The event that ends every complete stream. */
export const DONE_EVENT = "data: [DONE]\n\n";

/** Makes a completion's id. */
export function completionId(): string {
  return `chatcmpl-${randomBytes(12).toString("hex")}`;
}

/** Makes a tool call's id. */
export function toolCallId(): string {
  return `call_${randomBytes(12).toString("hex")}`;
}

/**
 * Makes the `chat.completion.chunk` events of one answer. With `includeUsage` every chunk but the last carries
 * `usage: null`, as OpenAI does it.
 */
export function chunkEvents(model: string, includeUsage: boolean): ChunkEvents {
  const head = { ...identity("chat.completion.chunk", model), system_fingerprint: null };
  // Written by hand around the delta: at full speed, building the objects for each word would be most of the work.
  const prefix = `data: ${JSON.stringify(head).slice(0, -1)},"choices":[{"index":0,"delta":`;
  const tail = includeUsage ? '],"usage":null}\n\n' : "]}\n\n";
  const delta = (json: string, reason = "null"): string =>
    `${prefix}${json},"logprobs":null,"finish_reason":${reason}}${tail}`;
  const tool = (index: number, call: object): string =>
    delta(JSON.stringify({ tool_calls: [{ index, ...call }] }));
  return {
    role: () => delta('{"role":"assistant","content":"","refusal":null}'),
    text: (piece) => delta(`{"content":${JSON.stringify(piece)}}`),
    toolCall: (index, call) =>
      [
        tool(index, { id: call.id, type: call.type, function: { name: call.function.name, arguments: "" } }),
        ...split(call.function.arguments).map((part) => tool(index, { function: { arguments: part } })),
      ].join(""),
    finish: (reason) => delta("{}", JSON.stringify(reason)),
    usage: (usage) => `data: ${JSON.stringify({ ...head, choices: [], usage })}\n\n`,
  };
}

/** Makes the body of an answer that is not streamed. */
export function completionBody(
  model: string,
  content: string | null,
  toolCalls: readonly OpenAIToolCall[],
  finishReason: string,
  usage: TokenUsage,
): object {
  const message = {
    role: "assistant",
    content,
    refusal: null,
    ...(toolCalls.length > 0 ? { tool_calls: toolCalls } : {}),
  };
  return {
    ...identity("chat.completion", model),
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason }],
    usage,
    system_fingerprint: null,
  };
}

/** Makes OpenAI's error body for an HTTP status. */
export function errorBody(status: number, message: string): object {
  const types: Record<number, string> = {
    401: "invalid_request_error",
    429: "rate_limit_exceeded",
  };
  const type = types[status] ?? (status < 500 ? "invalid_request_error" : "server_error");
  return { error: { message, type, param: null, code: null } };
}

function identity(object: string, model: string): object {
  return { id: completionId(), object, created: Math.floor(Date.now() / 1000), model };
}

/** Splits arguments into at most eight parts, so that readers have something to put together; never inside a character. */
function split(text: string): string[] {
  const characters = Array.from(text);
  const size = Math.max(8, Math.ceil(characters.length / 8));
  const parts: string[] = [];
  for (let at = 0; at < characters.length; at += size) parts.push(characters.slice(at, at + size).join(""));
  return parts;
}
