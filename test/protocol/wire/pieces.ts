import { readFileSync } from "node:fs";
import { Duplex } from "node:stream";
import { createFrameDecoder } from "../../../protocol/wire/decoder.ts";
import { LinkError } from "../../../protocol/wire/errors.ts";
import type { Frame } from "../../../protocol/wire/frame.ts";

/** A part of a stream in the vectors: bytes, so many times over. */
export interface Part {
  readonly hex: string;
  readonly times?: number;
}

/** The bytes of a stream in the vectors. */
export function bytesOf(parts: readonly Part[]): Buffer {
  return Buffer.concat(
    parts.map(({ hex, times = 1 }) => {
      const bytes = Buffer.from(hex, "hex");
      return Buffer.alloc(bytes.length * times, bytes);
    }),
  );
}

/** The cases of one file of test/vectors: its README tells their shape. */
export function vectors(name: string): unknown {
  const url = new URL(`../../vectors/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(url, "utf8")) as unknown;
}

/** Decodes pieces into frames; throws what the decoder throws. */
export function decode(...pieces: readonly Buffer[]): Frame[] {
  const frames: Frame[] = [];
  const decoder = createFrameDecoder((frame) => frames.push(frame));
  for (const piece of pieces) decoder.push(piece);
  return frames;
}

/** The code with which a decoder refuses the pieces, or undefined. Throws what is no LinkError. */
export function refusal(...pieces: readonly Buffer[]): string | undefined {
  try {
    decode(...pieces);
    return undefined;
  } catch (error) {
    if (error instanceof LinkError) return error.code;
    throw error;
  }
}

/** Cuts bytes into pieces whose lengths are taken in turn; the last piece is what remains. */
export function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const length of lengths) {
    if (at >= bytes.length) break;
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  pieces.push(bytes.subarray(at));
  return pieces;
}

/** A frame of JSON text, whatever it says. */
export function rawFrame(json: string | Buffer): Buffer {
  const body = Buffer.from(json as string);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(body.length);
  return Buffer.concat([header, body]);
}

/** A peer in memory that takes written bytes only when the test says so. */
export interface SlowSocket {
  readonly socket: Duplex;
  /** Pieces that were written and not yet taken. */
  readonly pending: Buffer[];
  /** Everything that was taken, in order. */
  readonly taken: Buffer[];
  /** Takes the piece that is being written; false if there is none. */
  readonly take: () => boolean;
}

/** Makes a socket whose writes wait for `take`. Bytes for the reader are given with `socket.push`. */
export function slowSocket(): SlowSocket {
  const pending: Buffer[] = [];
  const taken: Buffer[] = [];
  let confirm: (() => void) | undefined;
  const socket = new Duplex({
    read() {},
    write(bytes: Buffer, _encoding, done) {
      pending.push(bytes);
      confirm = done;
    },
  });
  return {
    socket,
    pending,
    taken,
    take() {
      const piece = pending.shift();
      if (piece === undefined) return false;
      taken.push(piece);
      confirm?.();
      return true;
    },
  };
}

/** Resolves when everything that was due at once has run: ticks, microtasks and immediates. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
