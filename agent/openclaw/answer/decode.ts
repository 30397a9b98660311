import type { Readable, Transform } from "node:stream";
import type { Bounds } from "../../bounds.ts";
import { Failure } from "@valinor/protocol";

/** Bytes that tell what a body is: as many as the longest mark has. */
const MARK_BYTES = 4;
/** Most encodings that a body may have one upon the other. */
const LAYERS = 3;

/**
 * The bytes of a body as they were before the server compressed it, whether that was asked for and said or not. What it is compressed
 * with is read from its first bytes; the header decides only if these bytes tell nothing. The body itself is not destroyed when the
 * reader leaves. Throws Failure `parse_error` for a body that cannot be decompressed, `too_large` if more than
 * `modelDecodedBytes` come of it; rejects with the body's own error if it breaks.
 */
export async function* decodedBytes(
  body: Readable,
  encoding: string,
  bounds: Pick<Bounds, "modelDecodedBytes">,
): AsyncGenerator<Buffer, void> {
  const pieces = body.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer> & AsyncIterable<Buffer>;
  const head = await readHead(pieces);
  const names = layersOf(encoding, head);
  const rest = joined(head, pieces);
  if (names.length === 0) return yield* rest;
  const { pipeline, Readable: Source } = process.getBuiltinModule("node:stream");
  const decoders = names.toReversed().map((name) => decoderOf(name, head));
  const last = decoders.at(-1) as Transform;
  // What fails is told by the reading of the last one.
  pipeline([Source.from(rest, { objectMode: false }), ...decoders], () => {});
  let size = 0;
  try {
    for await (const bytes of last as AsyncIterable<Buffer>) {
      size += bytes.length;
      if (size > bounds.modelDecodedBytes) {
        throw new Failure("too_large", `the model's answer is over ${bounds.modelDecodedBytes} bytes`);
      }
      yield bytes;
    }
  } catch (error) {
    // The body broke, or ended in its middle: that is not the fault of what is in it.
    if (error instanceof Failure || body.errored !== null || isCutOff(error)) throw error;
    throw new Failure(
      "parse_error",
      `the model's answer cannot be decompressed (${names.join(", ")})`,
      error,
    );
  }
}

async function readHead(pieces: AsyncIterator<Buffer>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < MARK_BYTES) {
    const { done, value } = await pieces.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  return head;
}

async function* joined(head: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  if (head.length > 0) yield head;
  yield* rest;
}

/** What the body is compressed with, in the order in which that was done; empty: it is not. */
function layersOf(header: string, head: Buffer): string[] {
  const told = header
    .toLowerCase()
    .split(",")
    .map((name) => name.trim().replace(/^x-/, ""))
    .filter((name) => name !== "" && name !== "identity" && name !== "none");
  const seen = markOf(head);
  if (told.length > LAYERS) throw new Failure("parse_error", "the model's answer is compressed too often");
  const unknown = told.find((name) => !["gzip", "deflate", "br", "zstd"].includes(name));
  if (seen !== undefined) return told.at(-1) === seen && unknown === undefined ? told : [seen];
  // Marked as compressed, and text all the same: some proxies forget to take the header away.
  const isMarked = told.every((name) => name === "gzip" || name === "zstd" || name === unknown);
  if (isMarked ? isText(head) : beginsAnswer(head)) return [];
  if (unknown === undefined) return told;
  throw new Failure("parse_error", `the model's answer has a content-encoding that is not known`);
}

function markOf(head: Buffer): "gzip" | "zstd" | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  return head.length >= MARK_BYTES && head.readUInt32LE(0) === 0xfd2fb528 ? "zstd" : undefined;
}

/** True for bytes with which JSON, server-sent events, a page or plain text can begin. */
function isText(head: Buffer): boolean {
  return head.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d);
}

/** True for bytes that begin an answer without compression: for compressions that have no mark of their own. */
function beginsAnswer(head: Buffer): boolean {
  return /^(?:\{\s*"|\[\s*\{|data|even|: )/.test(head.toString("latin1"));
}

function decoderOf(name: string, head: Buffer): Transform {
  const zlib = process.getBuiltinModule("node:zlib");
  switch (name) {
    case "gzip":
      return zlib.createGunzip();
    case "br":
      return zlib.createBrotliDecompress();
    case "zstd":
      return zlib.createZstdDecompress();
    default:
      // Deflate is meant to be zlib's format, and some servers send it without the header of that.
      return hasZlibHeader(head) ? zlib.createInflate() : zlib.createInflateRaw();
  }
}

function hasZlibHeader(head: Buffer): boolean {
  return head.length >= 2 && ((head[0] as number) & 0x0f) === 8 && head.readUInt16BE(0) % 31 === 0;
}

/** True for a compressed body that ended before its end. */
function isCutOff(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "Z_BUF_ERROR" || code === "ERR_STREAM_PREMATURE_CLOSE";
}
