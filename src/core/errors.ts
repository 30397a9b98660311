import { type ServerReason, serverReasons } from "@valinor/proto/reasons";
import { LinkError, type LinkErrorCode } from "@valinor/protocol";

/** Reason of an error: the `reason` of its ErrorInfo. proto/valinor/v1/reasons.proto has them all. */
export type Reason = ServerReason;

/** What Connect and REST call an error, and what clients may do about it. */
export interface ErrorRow {
  readonly code: ErrorCodeName;
  /** Status of REST. */
  readonly status: number;
  /** What REST clients of the first generation know it by. */
  readonly text: string;
  /** Whether a client makes the same call again by itself: never, after a pause, or so that it attaches to the run. */
  readonly retry: "never" | "again" | "attach";
  /** Milliseconds after which a retry can help. */
  readonly retryMs?: number;
}

/** Names of Connect codes, as Connect's JSON spells them. */
export type ErrorCodeName = (typeof serverReasons)[Reason]["code"];

/** Every reason, in the order of docs/errors.md. */
export const reasons = Object.keys(serverReasons) as Reason[];

/** What follows from a reason. */
export function errorRow(reason: Reason): ErrorRow {
  return serverReasons[reason];
}

/** What an error may carry besides its reason and text. */
export interface ErrorExtras {
  /** For ErrorInfo.metadata: `agent_id`, `request_id`, `sequence`, `last_sequence`, `code`, `tool`, `revision`. No secrets, no message text. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** What REST calls it, if that is not the text of its reason. */
  readonly text?: string;
  /** Connect code, if it is not that of its reason. */
  readonly code?: ErrorCodeName;
  /** What the guest itself said, if it did. */
  readonly guestText?: string;
  /** Milliseconds after which a retry can help, if they are not those of its reason. */
  readonly retryMs?: number;
  readonly cause?: unknown;
}

/** Milliseconds after which a caller that found every place taken may find one. */
const PLACE_RETRY_MS = 5_000;

/** The one error of the domain. Told apart by `reason`; the message is for people and is shown to the client. */
export class ValinorError extends Error {
  override readonly name = "ValinorError";
  readonly reason: Reason;
  readonly metadata: Readonly<Record<string, string>>;
  /** What REST calls it. */
  readonly text: string;
  /** What Connect calls it. */
  readonly code: ErrorCodeName;
  /** What the guest itself said; undefined if the error is the host's own. */
  readonly guestText: string | undefined;
  /** Milliseconds after which a retry can help; undefined if none does. */
  readonly retryMs: number | undefined;

  constructor(reason: Reason, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.reason = reason;
    this.metadata = extras.metadata ?? {};
    const row = errorRow(reason);
    this.text = extras.text ?? row.text;
    this.code = extras.code ?? row.code;
    this.guestText = extras.guestText;
    this.retryMs = extras.retryMs ?? row.retryMs;
  }

  /** The same error with more metadata; what it has already stays. */
  with(metadata: Readonly<Record<string, string>>): ValinorError {
    const { reason, message, text, code, guestText, retryMs, cause } = this;
    const extras: ErrorExtras = {
      metadata: { ...metadata, ...this.metadata },
      text,
      code,
      cause,
      ...(guestText === undefined ? {} : { guestText }),
      ...(retryMs === undefined ? {} : { retryMs }),
    };
    return new ValinorError(reason, message, extras);
  }
}

/** What a caller is told if as much is held or buffered as may be: it can try again soon, as others end. `why` is shown. */
export function limitExceeded(why: string): ValinorError {
  return new ValinorError("LIMIT_EXCEEDED", why, { retryMs: PLACE_RETRY_MS });
}

const linkReasons: Record<LinkErrorCode, Reason> = {
  invalid_frame: "INVALID_FRAME",
  frame_too_large: "FRAME_TOO_LARGE",
  unreachable: "AGENT_UNREACHABLE",
  refused: "AGENT_UNREACHABLE",
  interrupted: "RUN_INTERRUPTED",
  closed: "RUN_INTERRUPTED",
  busy: "AGENT_BUSY",
  overrun: "LIMIT_EXCEEDED",
  timeout: "AGENT_TIMEOUT",
};

/** Any thrown value as a ValinorError: link errors by their code, others as INTERNAL without their text. */
export function toValinorError(thrown: unknown): ValinorError {
  if (thrown instanceof ValinorError) return thrown;
  if (thrown instanceof LinkError) {
    return new ValinorError(linkReasons[thrown.code], thrown.message, { cause: thrown });
  }
  return new ValinorError("INTERNAL", "internal error", { cause: thrown });
}
