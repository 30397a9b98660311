import { limits } from "./limits.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const STRUCTURE = new Int8Array(256);
for (const c of "{[") STRUCTURE[c.charCodeAt(0)] = 1;
for (const c of "}]") STRUCTURE[c.charCodeAt(0)] = -1;
for (const c of ",:") STRUCTURE[c.charCodeAt(0)] = 2;
STRUCTURE[QUOTE] = 3;

/** A frame shorter than this cannot nest deeper than the limit, nor hold too many tokens. */
export const prescanFrom = 2 * limits.jsonDepth;

/** Strings are walked byte by byte up to this length, then searched with memchr. */
const WALK = 48;

/**
 * Looks through JSON text for nesting over 64 and more than `most` structural characters (default 100,000), in one linear pass,
 * before it is parsed: JSON.parse bounds neither. Answers what is wrong, or undefined. Text that is not JSON may pass: the parser decides.
 */
export function prescan(
  bytes: Buffer,
  start: number,
  end: number,
  most: number = limits.jsonTokens,
): string | undefined {
  let depth = 0;
  let tokens = 0;
  for (let i = start; i < end; i++) {
    const kind = STRUCTURE[bytes[i] as number] as number;
    if (kind === 0) continue;
    if (kind === 3) {
      i = endOfString(bytes, i + 1, end);
      continue;
    }
    if (++tokens > most) return `more than ${most} tokens`;
    if (kind === 1 && ++depth > limits.jsonDepth) return `nesting over ${limits.jsonDepth}`;
    if (kind === -1) depth--;
  }
  return undefined;
}

/** Position of the quote that ends the string whose first byte is at `from`, or `end`. */
export function endOfString(bytes: Buffer, from: number, end: number): number {
  let i = from;
  const walkEnd = Math.min(end, from + WALK);
  for (; i < walkEnd; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) return i;
    if (byte === BACKSLASH) i++;
  }
  while (i < end) {
    const quote = bytes.indexOf(QUOTE, i);
    if (quote < 0 || quote >= end) return end;
    let slashes = 0;
    while (quote - 1 - slashes >= i && bytes[quote - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return quote;
    i = quote + 1;
  }
  return end;
}
