/** 29 bits: nine digits, which the engine's JSON reader takes faster than ten. */
const MASK = 0x1fffffff;
/** Texts up to this many UTF-16 units are folded here: a call of zlib costs more than that. */
const SHORT = 64;

/**
 * The mark of an event: a number from 0 to 2^29-1 that depends on the event's text and on all events before it. Two answers to one
 * message, as after the guest's machine was put back to a snapshot, have different marks from the first event on that differs, but for
 * one pair of texts in half a billion. `before` is the mark of the event before, or firstMark.
 */
export function nextMark(before: number, text: string): number {
  if (text.length > SHORT) return crc32(text, before) & MASK;
  let hash = before;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  // The length keeps an event without text from having the mark of the one before.
  return Math.imul(hash ^ text.length, 0x01000193) & MASK;
}

let zlibs: typeof import("node:zlib").crc32 | undefined;

/** Loaded with the first run: an agent that waits for one has no other use for zlib. */
function crc32(text: string, before = 0): number {
  zlibs ??= process.getBuiltinModule("node:zlib").crc32;
  return zlibs(text, before);
}

/** The mark that stands before the first event of a run. */
export function firstMark(life: string): number {
  return crc32(life) & MASK;
}
