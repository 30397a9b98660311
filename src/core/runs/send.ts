import { limits } from "@valinor/protocol";
import { ValinorError } from "../errors.ts";
import type { RunStream, SendResult, ToolCallEvent } from "../types.ts";

/**
 * Makes a call that ends after `ms` at the latest, with AGENT_TIMEOUT, and when the signal aborts. The call gets one signal for
 * both, and ends soon after it aborts.
 */
export async function withDeadline<T>(
  ms: number,
  signal: AbortSignal,
  call: (stop: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    stop.abort();
  }, ms);
  const leave = () => stop.abort();
  signal.addEventListener("abort", leave, { once: true });
  try {
    if (signal.aborted) leave();
    return await call(stop.signal);
  } catch (error) {
    if (!late || signal.aborted) throw error;
    throw new ValinorError("AGENT_TIMEOUT", `the agent did not finish within ${ms / 1000} s`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", leave);
  }
}

/**
 * Reads a stream to its end as one answer. Rejects with REPLY_TOO_LARGE over 3 MiB of text, and with CLIENT_GONE when the signal
 * aborts; the stream is closed then, and the run follows its onDisconnect.
 */
export async function collect(stream: RunStream, signal: AbortSignal): Promise<SendResult> {
  const onAbort = () => stream.close();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    if (signal.aborted) onAbort();
    return await readAnswer(stream);
  } catch (error) {
    stream.close();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function readAnswer(stream: RunStream): Promise<SendResult> {
  const { requestId, resumable } = stream.opened;
  const texts: string[] = [];
  const toolCalls: ToolCallEvent[] = [];
  let bytes = 0;
  for (;;) {
    const events = await stream.next();
    if (events === undefined) throw new ValinorError("INTERNAL", "the run ended without its last event");
    for (const event of events) {
      if (event.kind === "text") {
        if (event.text !== "") texts.push(event.text);
        bytes += Buffer.byteLength(event.text);
      } else if (event.kind === "tool_call") {
        toolCalls.push(event);
        bytes += sizeOf(event);
      } else if (event.kind === "done") {
        const { finishReason, usage } = event;
        const content = texts.join("");
        return { requestId, content, finishReason, toolCalls, resumable, ...(usage && { usage }) };
      }
      if (bytes > limits.unaryReplyBytes) throw tooLarge(requestId);
    }
  }
}

/** What a tool call takes of the answer; its frame counts too, so that many small ones are bounded as well. */
function sizeOf({ callId, toolName, arguments: args }: ToolCallEvent): number {
  return 64 + Buffer.byteLength(callId) + Buffer.byteLength(toolName) + Buffer.byteLength(args);
}

function tooLarge(requestId: string): ValinorError {
  const text = `the answer is over ${limits.unaryReplyBytes} bytes: read it with Stream`;
  return new ValinorError("REPLY_TOO_LARGE", text, { metadata: { request_id: requestId } });
}

/** The client left before the end. */
export function clientGone(requestId: string): ValinorError {
  return new ValinorError("CLIENT_GONE", "the client left", { metadata: { request_id: requestId } });
}
