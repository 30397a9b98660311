import { limits } from "../wire/limits.ts";
import { ValinorError } from "./errors.ts";
import type { RunStream, SendResult, ToolCallEvent } from "./types.ts";

/**
 * Reads a stream to its end as one answer. Rejects with REPLY_TOO_LARGE over 3 MiB of text, with AGENT_TIMEOUT after `ms`, and
 * with the signal's reason; the stream is closed then, and the run follows its onDisconnect.
 */
export async function collect(stream: RunStream, ms: number, signal: AbortSignal): Promise<SendResult> {
  const { requestId } = stream.opened;
  let stopped: ValinorError | undefined;
  const stop = (error: ValinorError) => {
    stopped ??= error;
    stream.close();
  };
  const onAbort = () => stop(clientGone(requestId));
  const timer = setTimeout(() => stop(timedOut(requestId, ms)), ms);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    if (signal.aborted) onAbort();
    return await readAnswer(stream);
  } catch (error) {
    stream.close();
    throw stopped ?? error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

async function readAnswer(stream: RunStream): Promise<SendResult> {
  const { requestId } = stream.opened;
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
        return { requestId, content: texts.join(""), finishReason, toolCalls, ...(usage && { usage }) };
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

function timedOut(requestId: string, ms: number): ValinorError {
  return new ValinorError("AGENT_TIMEOUT", `the agent did not finish within ${ms / 1000} s`, {
    metadata: { request_id: requestId },
  });
}

/** The client left before the end. */
export function clientGone(requestId: string): ValinorError {
  return new ValinorError("CLIENT_GONE", "the client left", { metadata: { request_id: requestId } });
}
