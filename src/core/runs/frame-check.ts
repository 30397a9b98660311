import { LinkError, encodeFrame, prescan, type FrameType } from "@valinor/protocol";
import { ValinorError } from "../errors.ts";

/**
 * Throws if a guest would have to close the link over a frame with this payload: REQUEST_TOO_LARGE over 4 MiB,
 * INVALID_ARGUMENT if it nests too deep or has too many tokens. For payloads that clients shape: a stored one would close
 * the link for ever.
 */
export function checkFrame(type: FrameType, payload: object): void {
  const frame = encode(type, payload);
  const wrong = prescan(frame, 4, frame.length);
  if (wrong !== undefined) throw new ValinorError("INVALID_ARGUMENT", `the request has ${wrong}`);
}

function encode(type: FrameType, payload: object): Buffer {
  try {
    return encodeFrame(type, "0".repeat(32), payload);
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    throw new ValinorError("REQUEST_TOO_LARGE", error.message, { cause: error });
  }
}
