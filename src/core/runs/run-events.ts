import { type Chunk, ChunkSchema, ToolCallSchema } from "@valinor/proto/valinor/link/v1/link";
import {
  LinkError,
  type Frame,
  type UnknownObject,
  limits,
  isTextChunk,
  readPayload,
  typeName,
} from "@valinor/protocol";
import { errorOfFrame } from "../guest-errors.ts";
import type { SeenRun } from "./seen-runs.ts";
import type { RunEvent } from "../types.ts";

/** Turns the frames of one exchange into events, and checks that their numbers have no gap. */
export interface EventReader {
  /**
   * Appends the frame's events. Throws ValinorError for a frame that tells of an error, LinkError `invalid_frame` where the
   * guest breaks the protocol.
   */
  read(frame: Frame, into: RunEvent[]): void;
}

/** Reads a guest of protocol 2, whose next event has the number `first`; the latest event and its mark are taken down in `seen`. */
export function numberedReader(first: number, seen: SeenRun): EventReader {
  let next = first;

  /** Checks an event's number: this is what makes "no gap, nothing twice" true. */
  function expect(sequence: number | undefined, mark: unknown): number {
    if (sequence !== next) {
      throw new LinkError(
        "invalid_frame",
        `the agent sent event ${sequence ?? "without a number"} where ${next} was due`,
      );
    }
    next++;
    // A guest that names no marks has no life either, and nothing is told to it of what was seen.
    if (sequence > seen.sequence && typeof mark === "number") {
      seen.sequence = sequence;
      seen.mark = mark;
    }
    return sequence;
  }

  return {
    read(frame, into) {
      switch (frame.type) {
        case "chunk": {
          const { payload } = frame;
          if (isTextChunk(payload)) {
            into.push({
              kind: "text",
              sequence: expect(payload.sequence, payload.mark),
              text: payload.content,
            });
            return;
          }
          const chunk = readPayload(ChunkSchema, payload);
          const sequence = expect(chunk.sequence, chunk.mark);
          into.push(chunk.done ? doneOf(chunk, sequence) : { kind: "text", sequence, text: chunk.content });
          return;
        }
        case "progress":
          into.push({ kind: "keepalive" });
          return;
        case "tool_call": {
          const call = readPayload(ToolCallSchema, frame.payload);
          const { callId, toolName, arguments: args } = call;
          if (Buffer.byteLength(args) > limits.toolArgumentsBytes) {
            throw new LinkError(
              "invalid_frame",
              "the agent sent a tool call with more arguments than it may",
            );
          }
          into.push({
            kind: "tool_call",
            sequence: expect(call.sequence, call.mark),
            callId,
            toolName,
            arguments: args,
          });
          return;
        }
        case "tool_blocked":
        case "error": {
          const error = errorOfFrame(frame);
          if (error.metadata["sequence"] !== undefined)
            expect(Number(error.metadata["sequence"]), frame.payload["mark"]);
          throw error;
        }
        default:
          throw new LinkError("invalid_frame", `the agent sent a ${frame.type} frame in answer to a message`);
      }
    },
  };
}

/** Reads a guest of protocol 1: the host numbers its events, and a last chunk with text becomes text and done. */
export function unnumberedReader(): EventReader {
  let sequence = 0;
  return {
    read(frame, into) {
      if (frame.type === "error" || frame.type === "tool_blocked") {
        throw errorOfFrame(frame).with({ sequence: String(sequence + 1) });
      }
      if (frame.type !== "chunk")
        throw new LinkError("invalid_frame", `the agent sent an invalid ${typeName(frame.type)} frame`);
      const { content, done } = readPlainChunk(frame.payload);
      if (content !== "") into.push({ kind: "text", sequence: ++sequence, text: content });
      if (done) into.push({ kind: "done", sequence: ++sequence, finishReason: "stop" });
    },
  };
}

/** A chunk of protocol 1, which knows two fields, and whose text may hold half a character. */
function readPlainChunk({ content, done }: UnknownObject): { content: string; done: boolean } {
  const text = content ?? "";
  const isDone = done ?? false;
  if (typeof text === "string" && typeof isDone === "boolean")
    return { content: text.toWellFormed(), done: isDone };
  throw new LinkError("invalid_frame", "the agent sent a chunk with fields of the wrong type");
}

function doneOf(chunk: Chunk, sequence: number): RunEvent {
  if (chunk.content !== "") throw new LinkError("invalid_frame", "the agent sent text in its last chunk");
  const finishReason = chunk.finishReason || "unknown"; // never a success that nobody told of
  const { usage } = chunk;
  if (usage === undefined) return { kind: "done", sequence, finishReason };
  const { promptTokens, completionTokens, totalTokens } = usage;
  return { kind: "done", sequence, finishReason, usage: { promptTokens, completionTokens, totalTokens } };
}
