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
import type { ValinorError } from "../errors.ts";
import { errorOfFrame } from "../guest-errors.ts";
import type { SeenRun } from "./seen-runs.ts";
import type { RunEvent } from "../types.ts";

/** Turns the frames of one exchange into events, and checks that their numbers have no gap. */
export interface EventReader {
  /**
   * Appends the frame's events. Throws ValinorError for a frame that tells of an error, LinkError `invalid_frame` if the guest breaks
   * the protocol.
   */
  read(frame: Frame, into: RunEvent[]): void;
}

/** Reads a guest of protocol 2, whose next event has the number `first`; the latest event and its mark are written into `seen`. */
export class NumberedReader implements EventReader {
  #next: number;
  readonly #seen: SeenRun;

  constructor(first: number, seen: SeenRun) {
    this.#next = first;
    this.#seen = seen;
  }

  read(frame: Frame, into: RunEvent[]): void {
    switch (frame.type) {
      case "chunk":
        return void into.push(this.#chunk(frame.payload));
      case "progress":
        return void into.push({ kind: "keepalive" });
      case "tool_call":
        return void into.push(this.#toolCall(frame.payload));
      case "tool_blocked":
      case "error":
        throw this.#failure(frame);
      default:
        throw new LinkError("invalid_frame", `the agent sent a ${frame.type} frame in answer to a message`);
    }
  }

  #chunk(payload: UnknownObject): RunEvent {
    if (isTextChunk(payload)) {
      const sequence = this.#expect(payload.sequence, payload.mark);
      return { kind: "text", sequence, text: payload.content };
    }
    const chunk = readPayload(ChunkSchema, payload);
    const sequence = this.#expect(chunk.sequence, chunk.mark);
    return chunk.done ? doneOf(chunk, sequence) : { kind: "text", sequence, text: chunk.content };
  }

  #toolCall(payload: UnknownObject): RunEvent {
    const call = readPayload(ToolCallSchema, payload);
    const { callId, toolName, arguments: args } = call;
    if (Buffer.byteLength(args) > limits.toolArgumentsBytes)
      throw new LinkError("invalid_frame", "the agent sent a tool call with more arguments than it may");
    const sequence = this.#expect(call.sequence, call.mark);
    return { kind: "tool_call", sequence, callId, toolName, arguments: args };
  }

  /** The error that ends the run. One that the guest numbered is an event of the run, too. */
  #failure(frame: Frame): ValinorError {
    const error = errorOfFrame(frame);
    if (error.metadata["sequence"] !== undefined)
      this.#expect(Number(error.metadata["sequence"]), frame.payload["mark"]);
    return error;
  }

  /** Checks an event's number: this is what makes "no gap, nothing twice" true. */
  #expect(sequence: number | undefined, mark: unknown): number {
    if (sequence !== this.#next) {
      throw new LinkError(
        "invalid_frame",
        `expected event ${this.#next} from the agent, got ${sequence === undefined ? "one without a number" : `event ${sequence}`}`,
      );
    }
    this.#next++;
    // A guest that names no marks has no life either, and is never told what was seen.
    if (sequence > this.#seen.sequence && typeof mark === "number") {
      this.#seen.sequence = sequence;
      this.#seen.mark = mark;
    }
    return sequence;
  }
}

/** Reads a guest of protocol 1: the host numbers its events, and a last chunk with text becomes text and done. */
export class UnnumberedReader implements EventReader {
  #sequence = 0;

  read(frame: Frame, into: RunEvent[]): void {
    if (frame.type === "error" || frame.type === "tool_blocked")
      throw errorOfFrame(frame).with({ sequence: String(this.#sequence + 1) });
    if (frame.type !== "chunk")
      throw new LinkError("invalid_frame", `the agent sent an invalid ${typeName(frame.type)} frame`);
    const { content, done } = readPlainChunk(frame.payload);
    if (content !== "") into.push({ kind: "text", sequence: ++this.#sequence, text: content });
    if (done) into.push({ kind: "done", sequence: ++this.#sequence, finishReason: "stop" });
  }
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
  const finishReason = chunk.finishReason || "unknown"; // without a reason it must not count as a success
  const { usage } = chunk;
  if (usage === undefined) return { kind: "done", sequence, finishReason };
  const { promptTokens, completionTokens, totalTokens } = usage;
  return { kind: "done", sequence, finishReason, usage: { promptTokens, completionTokens, totalTokens } };
}
