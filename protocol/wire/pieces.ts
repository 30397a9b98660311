/**
 * Bytes of a piece. Frames that take several reads are kept in pieces that are used again: what was allocated for each would be garbage outside
 * of V8's heap, which makes it collect all of the heap every few dozen MiB, in one go.
 */
export const PIECE_BYTES = 64 * 1024;

/** Most pieces that wait to be used again in a process, 32 MiB. */
const MOST_FREE = 512;

const free: Buffer[] = [];

/** The bytes of a frame that have come so far. */
export interface Pieces {
  /** Memory that they take. */
  readonly bytes: number;
  /** Takes in bytes of a buffer; they must not be more than are left of the frame. */
  add(bytes: Buffer, from: number, to: number): void;
  /** True if `add` of so many bytes takes more memory. */
  grows(by: number): boolean;
  /** All bytes in one buffer, from its start; it is good until `release`. */
  whole(): Buffer;
  /** Gives the memory back. Nothing may be asked of it afterwards. */
  release(): void;
}

/** Begins to keep a frame of so many bytes. Memory follows what has come, rounded up to pieces; a frame shorter than one takes its length. */
export function createPieces(length: number): Pieces {
  return length <= PIECE_BYTES / 4 ? createSmall(length) : createLarge(length);
}

function createSmall(length: number): Pieces {
  const body = Buffer.allocUnsafeSlow(length);
  let have = 0;
  return {
    bytes: length,
    add(bytes, from, to) {
      have += bytes.copy(body, have, from, to);
    },
    grows: () => have === 0,
    whole: () => body,
    release: () => {},
  };
}

function createLarge(length: number): Pieces {
  const pieces: Buffer[] = [];
  let have = 0;
  return {
    get bytes() {
      return pieces.length * PIECE_BYTES;
    },
    add(bytes, from, to) {
      for (let at = from; at < to;) {
        const room = have % PIECE_BYTES;
        if (room === 0) pieces.push(free.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES));
        const copied = bytes.copy(pieces.at(-1) as Buffer, room, at, to);
        at += copied;
        have += copied;
      }
    },
    grows: (by) => have + by > pieces.length * PIECE_BYTES,
    whole: () => (pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, length)),
    release() {
      for (const piece of pieces.splice(0)) if (free.length < MOST_FREE) free.push(piece);
      have = 0;
    },
  };
}
