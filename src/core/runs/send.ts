import { limits } from "@valinor/protocol";
import { ValinorError } from "../errors.ts";
import type { RunStream, SendResult, ToolCallEvent } from "../types.ts";
import type { StoppableStream } from "./run-stream.ts";
import type { Stop } from "./stop.ts";

/**
 * Reads a stream to its end as one answer. Rejects with REPLY_TOO_LARGE over 3 MiB of text, with DRAINING if the server reads no further,
 * and with CLIENT_GONE when the call is to stop otherwise; the stream is closed then, and the run follows its onDisconnect.
 */
export async function collect(stream: StoppableStream, stop: Stop): Promise<SendResult> {
  stop.tell((reason) => (reason === "ending" ? stream.stop() : stream.close()));
  try {
    return await readAnswer(stream);
  } catch (error) {
    stream.close();
    throw error;
  } finally {
    stop.tell(undefined);
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

/** The agent took longer than `ms` milliseconds. */
export function tooSlow(ms: number, cause: unknown): ValinorError {
  return new ValinorError("AGENT_TIMEOUT", `the agent did not finish within ${ms / 1000} s`, { cause });
}

/** The client left before the end. */
export function clientGone(requestId: string): ValinorError {
  return new ValinorError("CLIENT_GONE", "the client left", { metadata: { request_id: requestId } });
}
