import { limits } from "./limits.ts";

/** Ids that are remembered. A power of two. */
const SLOTS = 2048;
/** Shorter ones are nobody's but a test's, and have no last four bytes. */
const SHORTEST = 8;

interface Known {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/**
 * The ids of exchanges that came lately in this process, by their bytes. Every frame of a stream names the same one: to find it here costs less
 * than to make a string of it again, and who looks it up afterwards finds its hash made. At most 2,048 of at most 128 bytes are kept.
 */
const known: (Known | undefined)[] = Array.from({ length: SLOTS });

/** The text of an id, whose bytes from `start` to `end` are ASCII. */
export function nameOf(bytes: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length < SHORTEST || length > limits.idLength) return bytes.toString("latin1", start, end);
  const slot = slotOf(bytes, end);
  const found = known[slot];
  if (found !== undefined && isSame(found.bytes, bytes, start, length)) return found.text;
  const text = bytes.toString("latin1", start, end);
  known[slot] = { bytes: Uint8Array.prototype.slice.call(bytes, start, end), text };
  return text;
}

function slotOf(bytes: Buffer, end: number): number {
  let hash = 0;
  for (let at = end - SHORTEST; at < end; at++) hash = Math.imul(hash, 31) + (bytes[at] as number);
  return (hash ^ (hash >>> 11)) & (SLOTS - 1);
}

function isSame(known: Uint8Array, bytes: Buffer, start: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let at = 0; at < length; at++) if (known[at] !== bytes[start + at]) return false;
  return true;
}
