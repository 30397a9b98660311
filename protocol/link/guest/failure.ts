import type { ErrorCode } from "../../wire/vocabulary.ts";

/** Why a guest ends a run or an exchange without success. Tell failures apart by `code`; the message is for people. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  /** The failure itself if it is one, otherwise `internal`: what was thrown becomes the cause, and no peer hears of it. */
  static from(reason: unknown): Failure {
    if (reason instanceof Failure) return reason;
    return new Failure("internal", "the agent failed", reason);
  }
}
