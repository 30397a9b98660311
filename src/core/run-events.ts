import { ChunkSchema, ToolCallSchema } from "../../gen/ts/valinor/link/v1/link_pb.ts";
import { LinkError } from "../wire/errors.ts";
import type { Frame, UnknownObject } from "../wire/frame.ts";
import { limits } from "../wire/limits.ts";
import { isTextChunk, readPayload } from "../wire/payload.ts";
import { errorOfFrame } from "./guest-errors.ts";
import type { RunEvent, Usage } from "./types.ts";

/** Turns the frames of one exchange into events, and checks that their numbers have no gap. */
export interface EventReader {
  /**
   * Appends the frame's events. Throws ValinorError for a frame that tells of an error, LinkError `invalid_frame` where the
   * guest breaks the protocol.
   */
  read(frame: Frame, into: RunEvent[]): void;
}

/** Reads a guest of protocol 2, whose next event has the number `next`. */
export function numberedReader(first: number): EventReader {
  let next = first;

  /** Checks an event's number: this is what makes "no gap, nothing twice" true. */
  function expect(sequence: number | undefined): number {
    if (sequence !== next) {
      throw new LinkError(
        "invalid_frame",
        `the agent sent event ${sequence ?? "without a number"} where ${next} was due`,
      );
    }
    next++;
    return sequence;
  }

  return {
    read(frame, into) {
      switch (frame.type) {
        case "chunk":
          if (isTextChunk(frame.payload)) {
            into.push({
              kind: "text",
              sequence: expect(frame.payload.sequence),
              text: frame.payload.content,
            });
          } else {
            const { sequence, done } = readDone(frame.payload);
            into.push({ ...done, sequence: expect(sequence) });
          }
          return;
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
            sequence: expect(call.sequence),
            callId,
            toolName,
            arguments: args,
          });
          return;
        }
        case "tool_blocked":
        case "error": {
          const error = errorOfFrame(frame);
          if (error.metadata["sequence"] !== undefined) expect(Number(error.metadata["sequence"]));
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
      const { content, done } = frame.payload;
      if (frame.type !== "chunk" || typeof content !== "string" || typeof done !== "boolean") {
        throw new LinkError("invalid_frame", `the agent sent an invalid ${frame.type} frame`);
      }
      if (content !== "") into.push({ kind: "text", sequence: ++sequence, text: content.toWellFormed() });
      if (done) into.push({ kind: "done", sequence: ++sequence, finishReason: "stop" });
    },
  };
}

interface DoneChunk {
  readonly sequence: number | undefined;
  readonly done: { readonly kind: "done"; readonly finishReason: string; readonly usage?: Usage };
}

function readDone(payload: UnknownObject): DoneChunk {
  const chunk = readPayload(ChunkSchema, payload);
  if (!chunk.done)
    throw new LinkError("invalid_frame", "the agent sent a chunk with fields of the wrong type");
  if (chunk.content !== "") throw new LinkError("invalid_frame", "the agent sent text in its last chunk");
  const { sequence, usage } = chunk;
  const finishReason = chunk.finishReason || "unknown"; // never a success that nobody told of
  if (usage === undefined) return { sequence, done: { kind: "done", finishReason } };
  const { promptTokens, completionTokens, totalTokens } = usage;
  return {
    sequence,
    done: { kind: "done", finishReason, usage: { promptTokens, completionTokens, totalTokens } },
  };
}
