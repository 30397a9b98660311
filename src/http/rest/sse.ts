import type { ValinorError } from "../../core/errors.ts";
import type { RunEvent, Usage } from "../../core/types.ts";
import { escapeLineBreaks, eventJson, usageJson } from "../routing/event-stream.ts";

/**
 * Names the run before its first event: a block without data, which sets an EventSource's last event id and dispatches nothing.
 * A client that is cut off before any event then resumes the run, and does not send its message again.
 */
export function encodeOpened(requestId: string): string {
  return `id: ${requestId}/0\n\n`;
}

/** A batch of events as the text of an event stream, for one write. */
export function encodeEvents(requestId: string, events: readonly RunEvent[]): string {
  let text = "";
  for (const event of events) text += encodeEvent(requestId, event);
  return escapeLineBreaks(text);
}

/** One event, which may hold line breaks that are to be escaped. */
function encodeEvent(requestId: string, event: RunEvent): string {
  switch (event.kind) {
    case "text": {
      const { sequence, text } = event;
      return `id: ${requestId}/${sequence}\nevent: chunk\ndata: {"content":${JSON.stringify(text)},"done":false,"sequence":${sequence}}\n\n`;
    }
    case "tool_call": {
      const { sequence, callId, toolName, arguments: args } = event;
      const data = eventJson({ sequence, call_id: callId, tool_name: toolName, arguments: args });
      return block("tool_call", data, `${requestId}/${sequence}`);
    }
    case "keepalive":
      return ": keepalive\n\n";
    case "done": {
      const { sequence, finishReason, usage } = event;
      const last = { content: "", done: true, sequence, finish_reason: finishReason, ...usageOf(usage) };
      // Only the terminal event has the id: a client that lost that one must get it again when it resumes.
      return block("chunk", eventJson(last)) + block("done", "{}", `${requestId}/${sequence}`);
    }
  }
}

/**
 * An error as the terminal event of its stream: `tool_blocked`, or `error` with the agent's code or the reason in lower case.
 * It has an id only if it ended the run, and so has a sequence; without an id, a client that resumes reads on.
 */
export function encodeError(requestId: string, error: ValinorError): string {
  const sequence = sequenceOf(error);
  const numbered = sequence === undefined ? {} : { sequence };
  const id = sequence === undefined ? undefined : `${requestId}/${sequence}`;
  if (error.reason === "TOOL_BLOCKED") {
    const data = {
      reason: error.guestText ?? error.message,
      tool_name: error.metadata["tool"] ?? "",
      ...numbered,
    };
    return block("tool_blocked", eventJson(data), id);
  }
  const code = error.metadata["code"] ?? error.reason.toLowerCase();
  const message = error.guestText ?? error.message;
  const hint = resumeHint(requestId, error);
  const data = eventJson({ code, message, reason: error.reason, ...numbered, ...hint });
  // An EventSource makes its next attempt after that time.
  const retry = hint === undefined ? "" : `retry: ${hint.retry_ms}\n`;
  return retry + block("error", data, id);
}

/** How to read on a run that goes on without this server. */
function resumeHint(requestId: string, { metadata, retryMs = 0 }: ValinorError) {
  const last = metadata["last_sequence"];
  return last === undefined
    ? undefined
    : { request_id: requestId, last_sequence: Number(last), retry_ms: retryMs };
}

/** Sequence of an error that ended its run. */
export function sequenceOf(error: ValinorError): number | undefined {
  const text = error.metadata["sequence"];
  return text === undefined ? undefined : Number(text);
}

function usageOf(usage: Usage | undefined): object {
  return usage === undefined ? {} : { usage: usageJson(usage) };
}

/** The id comes first: clients of the first generation read `event:` and `data:` as neighbours. */
function block(name: string, data: string, id?: string): string {
  const head = id === undefined ? "" : `id: ${id}\n`;
  return `${head}event: ${name}\ndata: ${data}\n\n`;
}
