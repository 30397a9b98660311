import { create, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import { type StreamResponse, StreamResponseSchema } from "@valinor/proto/valinor/v1/agent_proxy";
import type { RunEvent, RunOpened } from "../core/types.ts";

/** Bytes of an envelope before its message: a flag byte (0: not compressed) and the message's length. */
const ENVELOPE = 5;

/** The first event of a stream. */
export function openedResponse(opened: RunOpened): StreamResponse {
  return create(StreamResponseSchema, { event: { case: "opened", value: { ...opened } } });
}

/**
 * A batch of events as enveloped StreamResponse messages in one piece: the form that Connect, gRPC and gRPC-Web streams
 * share. Text, the bulk of every stream, is written by hand; a test holds it to what the library would write. `margin` bytes of the answer's
 * buffer are left free before the piece and behind it.
 */
export function encodeBatch(events: readonly RunEvent[], json: boolean, margin = 0): Buffer {
  return json ? encodeJson(events, margin) : encodeBinary(events, margin);
}

/** Bytes of UTF-8 that a UTF-16 unit takes at most. */
const UNIT_BYTES = 3;
/** Up to this many bytes room for the worst case is made; it costs less than to measure each text before it is written. */
const GENEROUS = 16 * 1024;

function encodeJson(events: readonly RunEvent[], margin: number): Buffer {
  const texts = events.map(jsonOf);
  const most = texts.reduce((sum, text) => sum + ENVELOPE + UNIT_BYTES * text.length, 0);
  const size =
    most <= GENEROUS ? most : texts.reduce((sum, text) => sum + ENVELOPE + Buffer.byteLength(text), 0);
  const bytes = Buffer.allocUnsafe(size + 2 * margin);
  let at = margin;
  for (const text of texts) {
    const length = bytes.write(text, at + ENVELOPE, "utf8");
    at = envelope(bytes, at, length) + length;
  }
  return bytes.subarray(0, at + margin);
}

function jsonOf(event: RunEvent): string {
  if (event.kind !== "text") return toJsonString(StreamResponseSchema, responseOf(event));
  const delta = event.text === "" ? "{}" : `{"text":${JSON.stringify(event.text)}}`;
  return `{"sequence":${event.sequence},"textDelta":${delta}}`;
}

function encodeBinary(events: readonly RunEvent[], margin: number): Buffer {
  const parts = events.map((event) =>
    event.kind === "text"
      ? textSizes(event.sequence, event.text)
      : toBinary(StreamResponseSchema, responseOf(event)),
  );
  const total = parts.reduce(
    (sum, part) => sum + ENVELOPE + (part instanceof Uint8Array ? part.length : part.message),
    0,
  );
  const bytes = Buffer.allocUnsafe(total + 2 * margin);
  let at = margin;
  for (const part of parts) {
    if (part instanceof Uint8Array) {
      at = envelope(bytes, at, part.length);
      bytes.set(part, at);
      at += part.length;
    } else {
      at = writeText(bytes, envelope(bytes, at, part.message), part);
    }
  }
  return bytes;
}

/** Sizes of a text event in protobuf's binary form: the whole message, its TextDelta, and the text. */
interface TextSizes {
  readonly sequence: number;
  readonly text: string;
  readonly textBytes: number;
  readonly delta: number;
  readonly message: number;
}

function textSizes(sequence: number, text: string): TextSizes {
  const textBytes = Buffer.byteLength(text);
  const delta = textBytes === 0 ? 0 : 1 + varintSize(textBytes) + textBytes;
  const message = 1 + varintSize(sequence) + 1 + varintSize(delta) + delta;
  return { sequence, text, textBytes, delta, message };
}

/** StreamResponse{sequence = 1, text_delta = 3 {text = 1}}; sequences of text are never 0. */
function writeText(bytes: Buffer, from: number, sizes: TextSizes): number {
  let at = from;
  bytes[at++] = 0x08;
  at = writeVarint(bytes, at, sizes.sequence);
  bytes[at++] = 0x1a;
  at = writeVarint(bytes, at, sizes.delta);
  if (sizes.textBytes === 0) return at;
  bytes[at++] = 0x0a;
  at = writeVarint(bytes, at, sizes.textBytes);
  return at + bytes.write(sizes.text, at, "utf8");
}

function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}

function writeVarint(bytes: Buffer, from: number, value: number): number {
  let at = from;
  let rest = value;
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

function envelope(bytes: Buffer, at: number, length: number): number {
  bytes[at] = 0;
  bytes.writeUInt32BE(length, at + 1);
  return at + ENVELOPE;
}

/** An event as the API's message. */
export function responseOf(event: RunEvent): StreamResponse {
  return create(StreamResponseSchema, initOf(event));
}

function initOf(event: RunEvent): MessageInitShape<typeof StreamResponseSchema> {
  switch (event.kind) {
    case "text":
      return { sequence: event.sequence, event: { case: "textDelta", value: { text: event.text } } };
    case "tool_call": {
      const { sequence, callId, toolName, arguments: args } = event;
      return { sequence, event: { case: "toolCall", value: { callId, toolName, arguments: args } } };
    }
    case "keepalive":
      return { event: { case: "keepalive", value: {} } };
    case "done": {
      const { sequence, finishReason, usage } = event;
      return { sequence, event: { case: "done", value: { finishReason, ...(usage && { usage }) } } };
    }
  }
}
