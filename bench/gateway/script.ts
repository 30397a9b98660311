import { CHUNK_TEXT } from "../text.ts";

/** Chunks of a streamed answer. */
export const CHUNKS = 50;
/** Pause of the model between two of them, milliseconds: a fast model's pace. */
export const PACE_MS = 10;

const COMMON = { id: "chatcmpl-bench", created: 1_760_000_000, model: "bench" };

/** The event of one chunk; undefined: the last, which says why it ended. */
export function eventOf(text: string | undefined): string {
  const delta = text === undefined ? {} : { role: "assistant", content: text };
  const choice = { index: 0, delta, finish_reason: text === undefined ? "stop" : null };
  return `data: ${JSON.stringify({ ...COMMON, object: "chat.completion.chunk", choices: [choice] })}\n\n`;
}

/** What a model answers to a request that is not streamed. */
export function completion(): string {
  const message = { role: "assistant", content: CHUNK_TEXT };
  return JSON.stringify({
    ...COMMON,
    object: "chat.completion",
    choices: [{ index: 0, message, finish_reason: "stop" }],
    usage: { prompt_tokens: 10, completion_tokens: 12, total_tokens: 22 },
  });
}

/** Stands in a message that is to be answered at once: an agent asks for a stream, whatever its client asked for. */
export const AT_ONCE = "In a word:";

/** What every client asks: for an answer in chunks, or for a whole one at once. */
export function requestBody(stream: boolean, model: string): string {
  const content = `${stream ? "Slowly:" : AT_ONCE} what does the fox do?`;
  return JSON.stringify({ model, stream, messages: [{ role: "user", content }] });
}
