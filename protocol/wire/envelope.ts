import { limits } from "./limits.ts";
import { endOfString } from "./prescan.ts";

/** What a frame says of itself beside its payload. */
export interface Envelope {
  readonly type: string;
  readonly id: string;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Longest JSON text of a string that is looked at: an id whose every unit is escaped. */
const MOST_TEXT = 6 * limits.idLength + 2;

/** The form in which docs/wire-protocol.md section 2 has a writer put an envelope, up to its payload. */
const CANONICAL = /^\{"type":"([a-z_]{1,32})","id":"([\w-]{0,128})","payload":/;
const CANONICAL_MOST = 200;

/**
 * The envelope of a frame in the form that writers use, from its first bytes alone; undefined if it has another form. A key that is
 * repeated after the payload is not seen: who is to be sure asks `readEnvelope`.
 */
export function glanceEnvelope(bytes: Buffer, start: number, end: number): Envelope | undefined {
  const found = CANONICAL.exec(bytes.toString("latin1", start, Math.min(end, start + CANONICAL_MOST)));
  if (found === null) return undefined;
  return { type: found[1] ?? "", id: found[2] ?? "" };
}

/**
 * The envelope of a frame of any form, as JSON.parse would have it: any order, escapes, the last of repeated keys. One linear pass that
 * keeps nothing of the payload. Undefined if the text is not the JSON of an object with a type: the parser then says what is wrong.
 */
export function readEnvelope(bytes: Buffer, start: number, end: number): Envelope | undefined {
  let type: string | undefined;
  let id: string | undefined = "";
  let at = skipSpace(bytes, start, end);
  if (bytes[at] !== OPEN) return undefined;
  at = skipSpace(bytes, at + 1, end);
  while (at < end && bytes[at] === QUOTE) {
    const keyEnd = endOfString(bytes, at + 1, end) + 1;
    const key = keyEnd - at <= MOST_TEXT ? textOf(bytes, at, keyEnd) : "";
    at = skipSpace(bytes, keyEnd, end);
    if (bytes[at] !== COLON) return undefined;
    const from = skipSpace(bytes, at + 1, end);
    at = skipValue(bytes, from, end);
    if (key === "type") type = stringOf(bytes, from, at);
    if (key === "id") id = stringOf(bytes, from, at);
    at = skipSpace(bytes, at, end);
    if (bytes[at] === CLOSE) return type === undefined || id === undefined ? undefined : { type, id };
    if (bytes[at] !== COMMA) return undefined;
    at = skipSpace(bytes, at + 1, end);
  }
  return undefined;
}

function skipSpace(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && isSpace(bytes[at])) at++;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Position after the value that begins at `from`; whatever stands inside it is not looked at. */
function skipValue(bytes: Buffer, from: number, end: number): number {
  let depth = 0;
  for (let at = from; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at + 1, end);
      if (depth === 0) return Math.min(end, at + 1);
    } else if (byte === OPEN || byte === 0x5b) {
      depth++;
    } else if (byte === CLOSE || byte === 0x5d) {
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (byte === COMMA || isSpace(byte))) {
      return at;
    }
  }
  return end;
}

/** The text of a JSON string's bytes, quotes included; undefined if they are none. A longer one is cut: it is no type and no id of ours. */
function stringOf(bytes: Buffer, from: number, to: number): string | undefined {
  if (bytes[from] !== QUOTE || to - from < 2) return undefined;
  return to - from <= MOST_TEXT
    ? textOf(bytes, from, to)
    : bytes.toString("latin1", from + 1, from + MOST_TEXT);
}

function textOf(bytes: Buffer, from: number, to: number): string | undefined {
  const inside = bytes.subarray(from + 1, to - 1);
  if (!inside.includes(BACKSLASH)) return inside.toString("utf8");
  try {
    return JSON.parse(bytes.toString("utf8", from, to)) as string;
  } catch {
    // An escape that is none: the parser tells of it.
    return undefined;
  }
}
