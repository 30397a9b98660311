import { LinkError } from "./errors.ts";
import { limits } from "./limits.ts";
import type { FrameType } from "./vocabulary.ts";

/** A JSON object of which nothing is known yet. */
export type UnknownObject = { readonly [key: string]: unknown };

/** A frame as it was received: its envelope is checked, its payload is not. */
export interface Frame {
  readonly type: string;
  readonly id: string;
  readonly payload: UnknownObject;
  /** Bytes on the wire, length field included (N+4). */
  readonly size: number;
}

/**
 * Encodes a frame. `payload` is a plain JSON value, normally of a generated `...Json` type.
 * Throws LinkError `frame_too_large` over 4 MiB.
 */
export function encodeFrame(type: FrameType, id: string, payload: object): Buffer {
  return encodeFrameJson(type, id, JSON.stringify(payload));
}

/** Encodes a frame whose payload is JSON text already. Throws LinkError `frame_too_large` over 4 MiB. */
export function encodeFrameJson(type: FrameType, id: string, payloadJson: string): Buffer {
  const json = `{"type":"${type}","id":${JSON.stringify(id)},"payload":${payloadJson}}`;
  const length = Buffer.byteLength(json);
  if (length > limits.frameBytes) {
    throw new LinkError(
      "frame_too_large",
      `a ${type} frame of ${length} bytes is over the limit of ${limits.frameBytes}`,
    );
  }
  const bytes = Buffer.allocUnsafe(4 + length);
  bytes.writeUInt32BE(length, 0);
  bytes.write(json, 4, "utf8");
  return bytes;
}
