import { errorText } from "../rules/error-text.ts";
/**
 * What can go wrong between two peers of a link. `invalid_frame` and `frame_too_large` are the peer's fault;
 * `unreachable` means that no byte of the request was written, `interrupted` that some may have been;
 * `busy` that the queue stayed full, `timeout` that no answer came in time, `overrun` that more was sent than the
 * reader allowed, `refused` that the peer turned the hello or the frame down, `closed` that this side ended it.
 */
export type LinkErrorCode =
  | "invalid_frame"
  | "frame_too_large"
  | "unreachable"
  | "interrupted"
  | "busy"
  | "timeout"
  | "overrun"
  | "refused"
  | "closed";

/** An error of the link. Tell them apart by `code`, never by the message. */
export class LinkError extends Error {
  override readonly name = "LinkError";
  readonly code: LinkErrorCode;

  constructor(code: LinkErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  /** The error itself if it is one, otherwise one of the given code with its text and itself as the cause. */
  static from(reason: unknown, code: LinkErrorCode): LinkError {
    if (reason instanceof LinkError) return reason;
    return new LinkError(code, errorText(reason), reason);
  }
}
