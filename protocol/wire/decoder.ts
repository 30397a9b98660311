import { isUtf8 } from "node:buffer";
import { type Envelope, glanceEnvelope, readEnvelope } from "./envelope.ts";
import { LinkError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import { limits } from "./limits.ts";
import { createPieces, type Pieces } from "./pieces.ts";
import { prescan, prescanFrom } from "./prescan.ts";
import { isObject } from "./values.ts";
import { typeName } from "./vocabulary.ts";

/** A frame shorter than this costs less to parse than to judge. */
const JUDGE_FROM = 512;

/** What the owner of a decoder knows better than the protocol: everything here has the protocol's own bound as default. */
export interface FrameRules {
  /** Largest value of a frame's length field, asked when a frame begins. */
  mostBytes?(): number;
  /** Most structural characters in a frame. */
  readonly tokens?: number;
  /**
   * Judges a frame of at least 512 bytes from its envelope: false drops it unparsed, and what is wrong with its payload is then never seen.
   * `size` is as Frame has it. Must not throw.
   */
  wants?(envelope: Envelope, size: number): boolean;
  /** A frame was dropped so. Must not throw. */
  onDropped?(envelope: Envelope, size: number): void;
  /**
   * Memory that a frame takes which spans reads: told as it grows, with the length that was announced, and 0 once it is complete. A
   * LinkError that it throws ends the link.
   */
  onPartial?(bytes: number, announced: number): void;
}

/** An incremental decoder of frames. */
export interface FrameDecoder {
  /**
   * Takes the next bytes and hands on every frame that they complete, synchronously and in order. Linear in the bytes.
   * Throws LinkError `frame_too_large` or `invalid_frame`: both are fatal to the link.
   */
  push(bytes: Buffer): void;
  /** As `push`, from a position on, and only up to the end of the first frame; answers the position after what it took. */
  step(bytes: Buffer, from: number): number;
  /** True while a frame has begun and is not complete. */
  readonly partial: boolean;
  /** Lets go of a frame that is not complete. Nothing may be pushed afterwards. */
  drop(): void;
}

/** Makes a decoder that hands complete frames to `onFrame`. */
export function createFrameDecoder(onFrame: (frame: Frame) => void, rules: FrameRules = {}): FrameDecoder {
  const header = Buffer.alloc(4);
  let headerHave = 0;
  let bodyLength = -1; // -1: the header is not complete
  let body: Pieces | undefined; // a frame that spans reads
  let bodyHave = 0;

  const mostBytes = () => rules.mostBytes?.() ?? limits.frameBytes;

  /** Takes bytes of the header; answers the position after them. */
  function readHeader(bytes: Buffer, from: number): number {
    if (headerHave === 0 && bytes.length - from >= 4) {
      bodyLength = checkLength(bytes.readUInt32BE(from), mostBytes());
      return from + 4;
    }
    const take = Math.min(4 - headerHave, bytes.length - from);
    bytes.copy(header, headerHave, from, from + take);
    headerHave += take;
    if (headerHave === 4) {
      bodyLength = checkLength(header.readUInt32BE(0), mostBytes());
      headerHave = 0;
    }
    return from + take;
  }

  /** Takes bytes of a body that spans reads; answers the position after them. */
  function readBody(bytes: Buffer, from: number): number {
    const take = Math.min(bodyLength - bodyHave, bytes.length - from);
    body ??= createPieces(bodyLength);
    const grows = body.grows(take);
    body.add(bytes, from, from + take);
    bodyHave += take;
    if (grows) rules.onPartial?.(body.bytes, bodyLength);
    if (bodyHave === bodyLength) finishBody(body);
    return from + take;
  }

  function finishBody(complete: Pieces): void {
    const length = bodyLength;
    bodyLength = -1;
    body = undefined;
    bodyHave = 0;
    rules.onPartial?.(0, length);
    try {
      deliver(complete.whole(), 0, length);
    } finally {
      complete.release();
    }
  }

  function step(bytes: Buffer, from: number): number {
    let at = from;
    if (bodyLength < 0) {
      at = readHeader(bytes, at);
      if (bodyLength < 0 || at === bytes.length) return at;
    }
    if (bodyHave > 0 || bytes.length - at < bodyLength) return readBody(bytes, at);
    const start = at;
    at += bodyLength;
    bodyLength = -1;
    deliver(bytes, start, at);
    return at;
  }

  /** Hands on a frame that is complete, unless its envelope says that nobody wants it. */
  function deliver(bytes: Buffer, start: number, end: number): void {
    const unwanted = end - start < JUDGE_FROM ? undefined : unwantedEnvelope(bytes, start, end, rules);
    if (unwanted === undefined) onFrame(parseFrame(bytes, start, end, rules.tokens));
    else rules.onDropped?.(unwanted, end - start + 4);
  }

  return {
    push(bytes) {
      let at = 0;
      while (at < bytes.length) at = step(bytes, at);
    },
    step,
    get partial() {
      return headerHave > 0 || bodyLength >= 0;
    },
    drop() {
      body?.release();
      body = undefined;
    },
  };
}

/** The envelope of a frame that nobody wants; undefined if it is to be parsed. */
function unwantedEnvelope(
  bytes: Buffer,
  start: number,
  end: number,
  rules: FrameRules,
): Envelope | undefined {
  if (rules.wants === undefined) return undefined;
  const size = end - start + 4;
  const glance = glanceEnvelope(bytes, start, end);
  if (glance !== undefined && rules.wants(glance, size)) return undefined;
  // It might be repeated keys that make it a wanted one.
  const envelope = readEnvelope(bytes, start, end);
  return envelope === undefined || rules.wants(envelope, size) ? undefined : envelope;
}

function checkLength(length: number, most: number): number {
  if (length > most) {
    throw new LinkError("frame_too_large", `a frame of ${length} bytes is over the limit of ${most}`);
  }
  if (length < limits.frameMinBytes) {
    throw new LinkError("invalid_frame", `a frame of ${length} bytes is too short to hold JSON`);
  }
  return length;
}

/** Parses the JSON of one frame and checks its envelope. */
function parseFrame(bytes: Buffer, start: number, end: number, tokens?: number): Frame {
  if (end - start >= prescanFrom) {
    const wrong = prescan(bytes, start, end, tokens);
    if (wrong !== undefined) throw new LinkError("invalid_frame", `a frame has ${wrong}`);
  }
  const text = bytes.toString("utf8", start, end);
  // Decoding puts U+FFFD where bytes are not UTF-8; only then is a second look needed.
  if (text.includes("\uFFFD") && !isUtf8(bytes.subarray(start, end))) {
    throw new LinkError("invalid_frame", "a frame is not UTF-8");
  }
  return checkEnvelope(parseJson(text), end - start + 4);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new LinkError("invalid_frame", "a frame is not JSON", error);
  }
}

function checkEnvelope(value: unknown, size: number): Frame {
  if (!isObject(value)) throw new LinkError("invalid_frame", "a frame is not a JSON object");
  const { type, id = "", payload } = value;
  if (typeof type !== "string") throw new LinkError("invalid_frame", "a frame has no type");
  if (typeof id !== "string" || id.length > limits.idLength) {
    throw new LinkError(
      "invalid_frame",
      `the id of a ${typeName(type)} frame is not a string of at most ${limits.idLength}`,
    );
  }
  if (payload === undefined || payload === null) return { type, id, payload: {}, size };
  if (!isObject(payload))
    throw new LinkError("invalid_frame", `the payload of a ${typeName(type)} frame is not an object`);
  return { type, id, payload, size };
}
