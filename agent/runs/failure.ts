import type { ErrorCode } from "@valinor/protocol";

/** Why a run or an exchange ended without success. Tell them apart by `code`; the message is for people. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  /** The failure itself where it is one, otherwise `internal`: what was thrown is the cause and is told to nobody. */
  static from(reason: unknown): Failure {
    if (reason instanceof Failure) return reason;
    return new Failure("internal", "the agent failed", reason);
  }
}
