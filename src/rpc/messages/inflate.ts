import { promisify } from "node:util";
import { brotliDecompress, gunzip } from "node:zlib";
import { refuseMessage, tooLarge } from "./refuse.ts";

/** A message may inflate to this many times its size on the wire; JSON with long names and little else reaches 20. */
const RATIO = 64;
/** Up to this many bytes the ratio is not looked at: a small message costs little, whatever it is made of. */
const FLOOR = 256 * 1024;

const decoders: Readonly<
  Record<string, (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer>>
> = {
  gzip: promisify(gunzip),
  br: promisify(brotliDecompress),
};

/** True for the encodings that are taken, as clients name them. */
export function isEncoding(name: string | null): name is string {
  return name !== null && Object.hasOwn(decoders, name);
}

/**
 * Inflates a message (gzip with all its members, or brotli) piece by piece, and stops at `most` bytes or at 64 times its size: no more
 * than that is ever held. Rejects with resource_exhausted if there is more, with invalid_argument if the bytes are not of that encoding.
 */
export async function inflate(bytes: Uint8Array, encoding: string, most: number): Promise<Uint8Array> {
  const decode = decoders[encoding];
  if (decode === undefined) throw new Error(`${encoding} is not an encoding that can be decompressed`);
  if (bytes.length === 0) return bytes;
  const fair = Math.max(FLOOR, RATIO * bytes.length);
  try {
    return await decode(bytes, { maxOutputLength: Math.min(most, fair) });
  } catch (error) {
    if (!(error instanceof RangeError)) throw refuseMessage(`the message is not ${encoding}`);
    if (most <= fair) throw tooLarge(most);
    throw tooLarge(
      most,
      `a compressed message may inflate to ${RATIO} times its size, and this one does to more`,
    );
  }
}
