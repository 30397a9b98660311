import { isUtf8 } from "node:buffer";
import { type Envelope, glanceEnvelope, readEnvelope } from "./envelope.ts";
import { LinkError } from "./errors.ts";
import type { Frame } from "./frame.ts";
import { limits } from "./limits.ts";
import { createPieces, type Pieces } from "./pieces.ts";
import { prescan, prescanFrom } from "./prescan.ts";
import { readTextFrame, TEXT_FRAME_TOKENS } from "./text-frame.ts";
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

/** Who takes the frames that were decoded. */
export interface FrameSink {
  /** A frame came, whole. Called from within `push` and `step`. */
  onFrame(frame: Frame): void;
}

/** Makes a decoder that hands complete frames to `onFrame`. */
export function createFrameDecoder(onFrame: (frame: Frame) => void, rules?: FrameRules): FrameDecoder {
  return new FrameDecoder({ onFrame }, rules);
}

/** An incremental decoder of frames. */
export class FrameDecoder {
  readonly #sink: FrameSink;
  readonly #rules: FrameRules;
  readonly #tokens: number;
  #header = 0; // what the bytes of the length field that have come amount to
  #headerHave = 0;
  #bodyLength = -1; // -1: the header is not complete
  #body: Pieces | undefined; // a frame that spans reads
  #bodyHave = 0;

  constructor(sink: FrameSink, rules: FrameRules = {}) {
    this.#sink = sink;
    this.#rules = rules;
    this.#tokens = rules.tokens ?? limits.jsonTokens;
  }

  /** True while a frame has begun and is not complete. */
  get partial(): boolean {
    return this.#headerHave > 0 || this.#bodyLength >= 0;
  }

  /**
   * Takes the next bytes and hands on every frame that they complete, synchronously and in order. Linear in the bytes.
   * Throws LinkError `frame_too_large` or `invalid_frame`: both are fatal to the link.
   */
  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) at = this.step(bytes, at);
  }

  /** As `push`, from a position on, and only up to the end of the first frame; answers the position after what it took. */
  step(bytes: Buffer, from: number): number {
    let at = from;
    if (this.#bodyLength < 0) {
      at = this.#readHeader(bytes, at);
      if (this.#bodyLength < 0 || at === bytes.length) return at;
    }
    if (this.#bodyHave > 0 || bytes.length - at < this.#bodyLength) return this.#readBody(bytes, at);
    const start = at;
    at += this.#bodyLength;
    this.#bodyLength = -1;
    this.#deliver(bytes, start, at);
    return at;
  }

  /** Lets go of a frame that is not complete. Nothing may be pushed afterwards. */
  drop(): void {
    this.#body?.release();
    this.#body = undefined;
  }

  /** Takes bytes of the header; answers the position after them. */
  #readHeader(bytes: Buffer, from: number): number {
    if (this.#headerHave === 0 && bytes.length - from >= 4) {
      this.#bodyLength = this.#checkLength(bytes.readUInt32BE(from));
      return from + 4;
    }
    let at = from;
    while (this.#headerHave < 4 && at < bytes.length) {
      this.#header = this.#header * 256 + (bytes[at++] as number);
      this.#headerHave++;
    }
    if (this.#headerHave === 4) {
      this.#bodyLength = this.#checkLength(this.#header);
      this.#header = this.#headerHave = 0;
    }
    return at;
  }

  /** Takes bytes of a body that spans reads; answers the position after them. */
  #readBody(bytes: Buffer, from: number): number {
    const take = Math.min(this.#bodyLength - this.#bodyHave, bytes.length - from);
    const body = (this.#body ??= createPieces(this.#bodyLength));
    const grows = body.grows(take);
    body.add(bytes, from, from + take);
    this.#bodyHave += take;
    if (grows) this.#rules.onPartial?.(body.bytes, this.#bodyLength);
    if (this.#bodyHave === this.#bodyLength) this.#finishBody(body);
    return from + take;
  }

  #finishBody(complete: Pieces): void {
    const length = this.#bodyLength;
    this.#bodyLength = -1;
    this.#body = undefined;
    this.#bodyHave = 0;
    this.#rules.onPartial?.(0, length);
    try {
      this.#deliver(complete.whole(), 0, length);
    } finally {
      complete.release();
    }
  }

  /** Hands on a frame that is complete, unless its envelope says that nobody wants it. */
  #deliver(bytes: Buffer, start: number, end: number): void {
    const rules = this.#rules;
    const unwanted = end - start < JUDGE_FROM ? undefined : unwantedEnvelope(bytes, start, end, rules);
    if (unwanted === undefined) this.#sink.onFrame(parseFrame(bytes, start, end, this.#tokens));
    else rules.onDropped?.(unwanted, end - start + 4);
  }

  #checkLength(length: number): number {
    const most = this.#rules.mostBytes?.() ?? limits.frameBytes;
    if (length > most)
      throw new LinkError("frame_too_large", `a frame of ${length} bytes is over the limit of ${most}`);
    if (length < limits.frameMinBytes)
      throw new LinkError("invalid_frame", `a frame of ${length} bytes is too short to hold JSON`);
    return length;
  }
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

/** Parses the JSON of one frame and checks its envelope. */
function parseFrame(bytes: Buffer, start: number, end: number, tokens: number): Frame {
  return (
    (tokens >= TEXT_FRAME_TOKENS ? readTextFrame(bytes, start, end) : undefined) ??
    parseAnyFrame(bytes, start, end, tokens)
  );
}

function parseAnyFrame(bytes: Buffer, start: number, end: number, tokens: number): Frame {
  if (end - start >= prescanFrom) {
    const wrong = prescan(bytes, start, end, tokens);
    if (wrong !== undefined) throw new LinkError("invalid_frame", `a frame has ${wrong}`);
  }
  const text = bytes.toString("utf8", start, end);
  // Decoding puts U+FFFD in place of bytes that are not UTF-8; only then is a second look needed.
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
