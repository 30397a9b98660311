import { create } from "@bufbuild/protobuf";
import { type StreamResponse, StreamResponseSchema } from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { toEvent } from "../../../clients/ts/src/events.ts";
import { applyEvent, newRun, type Run } from "../../../web/src/chat/run.ts";

/** A run that was not sent yet. */
export function freshRun(requestId = "r-1", sentAt = Date.now()): Run {
  return newRun({ requestId, agentId: "demo", conversationId: "c-1", message: "hello" }, sentAt);
}

/** The first event of a stream. */
export function opened(resumable = true): StreamResponse {
  return create(StreamResponseSchema, {
    event: { case: "opened", value: { requestId: "r-1", bootId: "b", attached: false, resumable } },
  });
}

/** A piece of text. */
export function delta(sequence: number, text: string): StreamResponse {
  return create(StreamResponseSchema, { sequence, event: { case: "textDelta", value: { text } } });
}

/** A tool call. */
export function toolCall(sequence: number, toolName: string): StreamResponse {
  const value = { callId: "call", toolName, arguments: "{}" };
  return create(StreamResponseSchema, { sequence, event: { case: "toolCall", value } });
}

/** The end. */
export function done(sequence: number): StreamResponse {
  return create(StreamResponseSchema, { sequence, event: { case: "done", value: { finishReason: "stop" } } });
}

/** Takes what a server said into a run, as the client hands it on. */
export function take(run: Run, ...responses: readonly StreamResponse[]): void {
  for (const response of responses) {
    const event = toEvent(response);
    if (event !== undefined) applyEvent(run, event);
  }
}
