import type { Frame, UnknownObject } from "./frame.ts";
import { limits } from "./limits.ts";
import { nameOf } from "./names.ts";
import { endOfString } from "./prescan.ts";

const QUOTE = 0x22;
const CLOSE = 0x7d;
const ZERO = 0x30;
/** Digits of a number that is read by hand: it is exact, whatever they are. */
const MOST_DIGITS = 10;

/** Structural characters of a frame that is read here, at most. */
export const TEXT_FRAME_TOKENS = 16;

const HEAD = Buffer.from('{"type":"chunk","id":"');
const CONTENT = Buffer.from('","payload":{"content":"');
const DONE = Buffer.from('","done":false');
const SEQUENCE = Buffer.from(',"sequence":');
const MARK = Buffer.from(',"mark":');

/** Bytes that stand for themselves in a string of JSON: printable ASCII but quotes and backslashes. */
const PLAIN = new Uint8Array(256);
for (let byte = 0x20; byte < 0x7f; byte++) PLAIN[byte] = byte === QUOTE || byte === 0x5c ? 0 : 1;

/** Text is walked byte by byte up to this length; what is longer, or not plain, is left to the engine's reader. */
const WALK = 128;

/**
 * Reads a `chunk` of text in the exact form in which guests write it (docs/wire-protocol.md section 4): these keys in this order, no spaces, and
 * an id that needs no escapes. Undefined for any other frame, and for one that is wrong: both are for the general way, which would make
 * the same of every frame that is read here, at four times the cost. Nearly all frames of a link are such chunks.
 */
export function readTextFrame(bytes: Buffer, start: number, end: number): Frame | undefined {
  if (!stands(HEAD, bytes, start)) return undefined;
  const idFrom = start + HEAD.length;
  const idEnd = endOfPlain(bytes, idFrom, idFrom + limits.idLength);
  if (!stands(CONTENT, bytes, idEnd)) return undefined;
  const from = idEnd + CONTENT.length;
  let to = endOfPlain(bytes, from, Math.min(end, from + WALK));
  const isPlain = bytes[to] === QUOTE;
  if (!isPlain) to = endOfString(bytes, to, end);
  const rest = to < end ? readRest(bytes, to, end) : undefined;
  if (rest === undefined) return undefined;
  const content = isPlain ? bytes.toString("latin1", from, to) : parseText(bytes, from, to);
  if (content === undefined) return undefined;
  const id = nameOf(bytes, idFrom, idEnd);
  return { type: "chunk", id, payload: payloadOf(content, rest), size: end - start + 4 };
}

/** The numbers of a chunk; -1 for one that is not there. */
interface Rest {
  readonly sequence: number;
  readonly mark: number;
}

/** Reads what stands behind the text, to the frame's end. */
function readRest(bytes: Buffer, from: number, end: number): Rest | undefined {
  if (!stands(DONE, bytes, from)) return undefined;
  let at = from + DONE.length;
  let sequence = -1;
  let mark = -1;
  if (stands(SEQUENCE, bytes, at)) {
    at += SEQUENCE.length;
    const digits = countDigits(bytes, at);
    sequence = readNumber(bytes, at, digits);
    if (sequence < 0) return undefined;
    at += digits;
  }
  if (stands(MARK, bytes, at)) {
    at += MARK.length;
    const digits = countDigits(bytes, at);
    mark = readNumber(bytes, at, digits);
    if (mark < 0) return undefined;
    at += digits;
  }
  return at === end - 2 && bytes[at] === CLOSE && bytes[at + 1] === CLOSE ? { sequence, mark } : undefined;
}

function payloadOf(content: string, { sequence, mark }: Rest): UnknownObject {
  if (sequence >= 0 && mark >= 0) return { content, done: false, sequence, mark };
  if (sequence >= 0) return { content, done: false, sequence };
  return mark >= 0 ? { content, done: false, mark } : { content, done: false };
}

/** True if these bytes stand there, perhaps behind the frame's end: readRest sees that all that was read lies before it. */
function stands(text: Buffer, bytes: Buffer, from: number): boolean {
  for (let at = 0; at < text.length; at++) if (bytes[from + at] !== text[at]) return false;
  return true;
}

/** Position of the first byte that is not plain, `most` at the latest. */
function endOfPlain(bytes: Buffer, from: number, most: number): number {
  let at = from;
  while (at < most && PLAIN[bytes[at] as number] === 1) at++;
  return at;
}

function countDigits(bytes: Buffer, from: number): number {
  let at = from;
  while (isDigit(bytes[at])) at++;
  return at - from;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= 0x39;
}

/** A whole number as JSON has it; -1 for digits that are none, or too many to be read by hand. */
function readNumber(bytes: Buffer, from: number, digits: number): number {
  if (digits === 0 || digits > MOST_DIGITS || (digits > 1 && bytes[from] === ZERO)) return -1;
  let value = 0;
  for (let at = from; at < from + digits; at++) value = value * 10 + ((bytes[at] as number) - ZERO);
  return value;
}

/** The text of a string's bytes, which may hold escapes; undefined if it is not for sure what the general way would make of it. */
function parseText(bytes: Buffer, from: number, to: number): string | undefined {
  if (to - from < WALK) return parseLiteral(bytes, from, to);
  const text = bytes.toString("utf8", from, to);
  if (text.includes("\\")) return parseLiteral(bytes, from, to);
  if (hasReplacement(text)) return undefined;
  // Text that JSON has to escape, such as a line break, must have come escaped. To write long text is faster than to read it.
  return JSON.stringify(text).length === text.length + 2 ? text : undefined;
}

function parseLiteral(bytes: Buffer, from: number, to: number): string | undefined {
  const literal = bytes.toString("utf8", from - 1, to + 1);
  if (hasReplacement(literal)) return undefined;
  try {
    return JSON.parse(literal) as string;
  } catch {
    // The general way says what is wrong.
    return undefined;
  }
}

/** U+FFFD may stand for bytes that are not UTF-8. */
function hasReplacement(text: string): boolean {
  return text.includes("\uFFFD");
}
