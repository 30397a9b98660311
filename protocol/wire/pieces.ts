import { limits } from "./limits.ts";

/**
 * Bytes of a piece. Frames that take several reads are kept in pieces that are used again: what was allocated for each would be garbage outside
 * of V8's heap, which makes it collect all of the heap every few dozen MiB, in one go.
 */
export const PIECE_BYTES = 64 * 1024;

/** Pieces that wait to be used again in a process. */
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
  return length <= PIECE_BYTES / 4 ? new SmallPieces(length) : new LargePieces(length);
}

class SmallPieces implements Pieces {
  readonly #body: Buffer;
  #have = 0;

  constructor(length: number) {
    this.#body = Buffer.allocUnsafeSlow(length);
  }

  get bytes(): number {
    return this.#body.length;
  }

  add(bytes: Buffer, from: number, to: number): void {
    this.#have += bytes.copy(this.#body, this.#have, from, to);
  }

  grows(): boolean {
    return this.#have === 0;
  }

  whole(): Buffer {
    return this.#body;
  }

  release(): void {}
}

class LargePieces implements Pieces {
  readonly #length: number;
  readonly #pieces: Buffer[] = [];
  #have = 0;

  constructor(length: number) {
    this.#length = length;
  }

  get bytes(): number {
    return this.#pieces.length * PIECE_BYTES;
  }

  add(bytes: Buffer, from: number, to: number): void {
    for (let at = from; at < to;) {
      const room = this.#have % PIECE_BYTES;
      if (room === 0) this.#pieces.push(free.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES));
      const copied = bytes.copy(this.#pieces.at(-1) as Buffer, room, at, to);
      at += copied;
      this.#have += copied;
    }
  }

  grows(by: number): boolean {
    return this.#have + by > this.#pieces.length * PIECE_BYTES;
  }

  whole(): Buffer {
    return this.#pieces.length === 1
      ? (this.#pieces[0] as Buffer)
      : Buffer.concat(this.#pieces, this.#length);
  }

  release(): void {
    for (const piece of this.#pieces.splice(0))
      if ((free.length + 1) * PIECE_BYTES <= limits.freePiecesBytes) free.push(piece);
    this.#have = 0;
  }
}
