import { tooLarge } from "./refuse.ts";

/** Bytes of an envelope before its message: a flag byte and the message's length. */
export const ENVELOPE = 5;
/** Flag of a message that is compressed. */
export const COMPRESSED = 1;

/** A message as it came. */
export interface Envelope {
  readonly flags: number;
  readonly data: Uint8Array;
}

/** Cuts a stream of bytes into envelopes. */
export interface EnvelopeSplitter {
  /** Takes the next bytes; answers the envelopes that they complete. Throws resource_exhausted for a message over the bound. */
  push(bytes: Uint8Array): Envelope[];
  /** True while an envelope has begun and is not complete. */
  readonly partial: boolean;
}

/**
 * Makes a splitter for messages of at most `most` bytes. It is linear in the bytes, however small the pieces that they come in, and
 * holds what has come: a length alone makes no room.
 */
export function createEnvelopeSplitter(most: number): EnvelopeSplitter {
  let held = Buffer.alloc(0);
  let have = 0;

  /** Length of the envelope at this place with its head; 0 while that is not known. */
  function lengthAt(bytes: Buffer, at: number, end: number): number {
    if (end - at < ENVELOPE) return 0;
    const length = bytes.readUInt32BE(at + 1);
    if (length > most) throw tooLarge(most);
    return ENVELOPE + length;
  }

  function hold(bytes: Uint8Array): void {
    if (held.length < have + bytes.length) {
      const bigger = Buffer.allocUnsafe(
        Math.max(have + bytes.length, Math.min(2 * held.length, most + ENVELOPE)),
      );
      held.copy(bigger, 0, 0, have);
      held = bigger;
    }
    held.set(bytes, have);
    have += bytes.length;
  }

  return {
    push(piece) {
      const envelopes: Envelope[] = [];
      let bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
      if (have > 0) {
        hold(piece);
        bytes = held.subarray(0, have);
      }
      let at = 0;
      for (let size = lengthAt(bytes, at, bytes.length); size > 0 && bytes.length - at >= size;) {
        envelopes.push({ flags: bytes[at] ?? 0, data: bytes.subarray(at + ENVELOPE, at + size) });
        at += size;
        size = lengthAt(bytes, at, bytes.length);
      }
      if (have > 0 && at === 0) return envelopes;
      // What was handed out stays as it is: the rest goes to a place of its own.
      held = Buffer.alloc(0);
      have = 0;
      if (at < bytes.length) hold(bytes.subarray(at));
      return envelopes;
    },
    get partial() {
      return have > 0;
    },
  };
}

/** A message in its envelope. */
export function seal(flags: number, data: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(ENVELOPE + data.length);
  bytes[0] = flags;
  bytes.writeUInt32BE(data.length, 1);
  bytes.set(data, ENVELOPE);
  return bytes;
}
