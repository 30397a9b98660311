import { streamHeaders } from "../../core/edge.ts";
import type { RunOpened, Usage } from "../../core/types.ts";

/** A comment, which every reader of events skips. */
export const SSE_PROBE = ": keepalive\n";

/** Headers of every event stream. */
export const sseHeaders = {
  "content-type": "text/event-stream",
  ...streamHeaders,
  "x-content-type-options": "nosniff",
} as const;

/** Headers of every answer of a run: its name, its life if it has one, and whether the same call again finds it. */
export function runHeaders(
  run: Pick<RunOpened, "requestId" | "resumable"> & { life?: string },
): Record<string, string> {
  return {
    "x-valinor-request-id": run.requestId,
    "x-valinor-resumable": String(run.resumable),
    ...(run.life ? { "x-valinor-run-life": run.life } : {}),
  };
}

/** Usage as JSON clients know it. */
export function usageJson(usage: Usage): object {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.totalTokens,
  };
}

/** What some clients split lines at besides CR and LF, which JSON escapes by itself. */
const LINE_BREAKS = ["\u0085", "\u2028", "\u2029"] as const;

/** JSON on one line, whatever the reader takes for a line's end. */
export function eventJson(value: unknown): string {
  return escapeLineBreaks(JSON.stringify(value));
}

/** JSON, or events that hold some, without the line breaks that JSON leaves in its strings. To look for them costs next to nothing. */
export function escapeLineBreaks(text: string): string {
  let escaped = text;
  for (const character of LINE_BREAKS)
    if (escaped.includes(character)) escaped = escaped.replaceAll(character, escape(character));
  return escaped;
}

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
