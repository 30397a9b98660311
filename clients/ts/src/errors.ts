import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "@valinor/proto/google/rpc/error_details";
import { bareCodes, clientReasons, type KnownReason, ERROR_DOMAIN } from "@valinor/proto/reasons";
import { type Reason, transientReasons } from "./reasons.ts";

/** Names of Connect's codes, as its JSON spells them. */
export type CodeName =
  | "canceled"
  | "unknown"
  | "invalid_argument"
  | "deadline_exceeded"
  | "not_found"
  | "already_exists"
  | "permission_denied"
  | "resource_exhausted"
  | "failed_precondition"
  | "aborted"
  | "out_of_range"
  | "unimplemented"
  | "internal"
  | "unavailable"
  | "data_loss"
  | "unauthenticated";

/** What an error carries besides its reason and text. */
export interface ErrorFields {
  readonly code: CodeName;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number | undefined;
  readonly requestId?: string | undefined;
  readonly afterSequence?: number | undefined;
  readonly cause?: unknown;
}

/** The error of every call. Tell errors apart by `reason`, never by their text. */
export class ValinorError extends Error {
  override readonly name = "ValinorError";
  /** Why; see docs/errors.md. */
  readonly reason: Reason;
  /** Connect's code of it. */
  readonly code: CodeName;
  /** What the server says besides: `agent_id`, `request_id`, `sequence`, `last_sequence`, `code` (the agent's), `tool`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Name of the run, if the call was about one. */
  readonly requestId: string | undefined;
  /** Number of the event that ended the run, if the error did; undefined if the run may be going on. */
  readonly sequence: number | undefined;
  /** Number of the last event that the stream gave; what `attach` needs to go on. Undefined outside of streams. */
  readonly afterSequence: number | undefined;
  /** Milliseconds after which a retry can help, if the server says so. */
  readonly retryAfterMs: number | undefined;

  constructor(reason: Reason, message: string, fields: ErrorFields) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.reason = reason;
    this.code = fields.code;
    this.metadata = fields.metadata ?? {};
    this.requestId = fields.requestId ?? this.metadata["request_id"];
    this.sequence = numberOf(this.metadata["sequence"]);
    this.afterSequence = fields.afterSequence;
    this.retryAfterMs = fields.retryAfterMs;
  }
}

/** Says whether an error is a ValinorError of one of these reasons. */
export function isReason<R extends KnownReason>(
  error: unknown,
  ...reasons: readonly R[]
): error is ValinorError & { readonly reason: R } {
  return error instanceof ValinorError && (reasons as readonly Reason[]).includes(error.reason);
}

/** Says whether the same call may succeed when it is made again; never so if the error ended the run. */
export function isTransient(error: ValinorError): boolean {
  return error.sequence === undefined && transientReasons.has(error.reason);
}

/** The error of a connection that could not be made, or broke. */
export function connectionLost(message: string, cause?: unknown): ValinorError {
  return new ValinorError("CONNECTION_LOST", message, { code: clientReasons.CONNECTION_LOST, cause });
}

/** Any thrown value as a ValinorError; one that is none of the server's is told by its code. */
export function toValinorError(thrown: unknown): ValinorError {
  if (thrown instanceof ValinorError) return thrown;
  const error = ConnectError.from(thrown);
  const code = codeName(error.code);
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === ERROR_DOMAIN);
  if (info === undefined) return withoutInfo(error, code);
  return new ValinorError(info.reason, error.rawMessage, {
    code,
    metadata: info.metadata,
    retryAfterMs: retryAfterMs(error),
    cause: error,
  });
}

/** The same error, with the run that it is about. */
export function ofRun(error: ValinorError, requestId: string, afterSequence: number): ValinorError {
  const { reason, message, code, metadata, retryAfterMs, cause } = error;
  return new ValinorError(reason, message, {
    code,
    metadata,
    retryAfterMs,
    cause,
    requestId,
    afterSequence,
  });
}

/**
 * Proxies in between answer with a bare status, which Connect turns into a code, and so does the caller's own deadline; everything else is a
 * broken connection.
 */
function withoutInfo(error: ConnectError, code: CodeName): ValinorError {
  const message = error.rawMessage;
  if (!isBareCode(code)) return connectionLost(`the connection to the server failed: ${message}`, error);
  return new ValinorError(bareCodes[code], message, { code, cause: error });
}

function isBareCode(code: CodeName): code is keyof typeof bareCodes {
  return Object.hasOwn(bareCodes, code);
}

function retryAfterMs(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay && Number(delay.seconds) * 1000 + delay.nanos / 1_000_000;
}

/** `DeadlineExceeded` becomes `deadline_exceeded`. */
function codeName(code: Code): CodeName {
  return Code[code].replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase() as CodeName;
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
