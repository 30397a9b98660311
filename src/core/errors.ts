import { LinkError, type LinkErrorCode } from "@valinor/protocol";

/**
 * The error table (docs/errors.md): what each reason is called by Connect and by REST. `code` is a Connect code's name,
 * `status` the REST status, `text` what REST clients of the first generation know it by; `retryMs` is there if a retry can
 * help, and says after how long.
 */
const table = {
  UNAUTHENTICATED: { code: "unauthenticated", status: 401, text: "unauthenticated" },
  PERMISSION_DENIED: { code: "permission_denied", status: 403, text: "permission denied" },
  INVALID_ARGUMENT: { code: "invalid_argument", status: 400, text: "invalid request body" },
  REQUEST_TIMEOUT: { code: "invalid_argument", status: 408, text: "request body timeout" },
  REQUEST_TOO_LARGE: { code: "invalid_argument", status: 413, text: "request body too large" },
  UNIMPLEMENTED: { code: "unimplemented", status: 501, text: "not implemented" },
  AGENT_NOT_FOUND: { code: "not_found", status: 404, text: "agent not found" },
  AGENT_EXISTS: { code: "already_exists", status: 409, text: "agent exists" },
  ADDRESS_TAKEN: { code: "already_exists", status: 409, text: "address taken" },
  REVISION_NOT_FOUND: { code: "not_found", status: 404, text: "revision not found" },
  RUN_UNKNOWN: { code: "not_found", status: 404, text: "run unknown" },
  AGENT_NOT_RUNNING: { code: "unavailable", status: 503, text: "agent not running", retryMs: 5_000 },
  AGENT_UNASSIGNED: { code: "unavailable", status: 503, text: "agent has no vsock CID", retryMs: 5_000 },
  CONFIG_PENDING: { code: "unavailable", status: 503, text: "agent configuration pending", retryMs: 1_000 },
  AGENT_UNREACHABLE: { code: "unavailable", status: 502, text: "agent unreachable", retryMs: 1_000 },
  RUN_INTERRUPTED: { code: "unavailable", status: 502, text: "recv failed", retryMs: 250 },
  RUN_LOST: { code: "aborted", status: 409, text: "run lost" },
  RUN_TRIMMED: { code: "out_of_range", status: 410, text: "run trimmed" },
  REQUEST_ID_REUSED: { code: "already_exists", status: 409, text: "request id reused" },
  REVISION_CONFLICT: { code: "aborted", status: 409, text: "revision conflict" },
  RUN_CANCELLED: { code: "canceled", status: 499, text: "run cancelled" },
  CLIENT_GONE: { code: "canceled", status: 499, text: "client gone" },
  AGENT_TIMEOUT: { code: "deadline_exceeded", status: 504, text: "message timeout" },
  TOOL_BLOCKED: { code: "permission_denied", status: 403, text: "tool blocked" },
  AGENT_ERROR: { code: "internal", status: 502, text: "agent error" },
  INVALID_FRAME: { code: "internal", status: 502, text: "invalid chunk" },
  FRAME_TOO_LARGE: { code: "internal", status: 502, text: "invalid chunk" },
  CONFIG_REJECTED: { code: "failed_precondition", status: 502, text: "agent rejected config update" },
  LIMIT_EXCEEDED: { code: "resource_exhausted", status: 429, text: "limit exceeded" },
  AGENT_BUSY: { code: "resource_exhausted", status: 429, text: "agent busy", retryMs: 1_000 },
  RATE_LIMITED: { code: "resource_exhausted", status: 429, text: "rate limited", retryMs: 1_000 },
  REPLY_TOO_LARGE: { code: "resource_exhausted", status: 502, text: "reply too large" },
  DRAINING: { code: "unavailable", status: 503, text: "draining", retryMs: 2_000 },
  STORE_UNAVAILABLE: { code: "unavailable", status: 503, text: "lookup failed", retryMs: 1_000 },
  AUTH_UNAVAILABLE: { code: "unavailable", status: 503, text: "authentication unavailable", retryMs: 1_000 },
  INTERNAL: { code: "internal", status: 500, text: "internal error" },
} as const satisfies Record<string, ErrorRow>;

/** A row of the error table. */
export interface ErrorRow {
  readonly code: ErrorCodeName;
  readonly status: number;
  readonly text: string;
  readonly retryMs?: number;
}

/** Names of Connect codes, as Connect's JSON spells them. */
export type ErrorCodeName =
  | "unauthenticated"
  | "permission_denied"
  | "invalid_argument"
  | "unimplemented"
  | "not_found"
  | "already_exists"
  | "unavailable"
  | "aborted"
  | "out_of_range"
  | "canceled"
  | "deadline_exceeded"
  | "internal"
  | "failed_precondition"
  | "resource_exhausted";

/** Reason of an error: the `reason` of its ErrorInfo. */
export type Reason = keyof typeof table;

/** Every reason, in the table's order. */
export const reasons = Object.keys(table) as Reason[];

/** The table's row of a reason. */
export function errorRow(reason: Reason): ErrorRow {
  return table[reason];
}

/** What an error may carry besides its reason and text. */
export interface ErrorExtras {
  /** For ErrorInfo.metadata: `agent_id`, `request_id`, `sequence`, `last_sequence`, `code`, `tool`, `revision`. No secrets, no message text. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** What REST calls it, if not by the table's text. */
  readonly text?: string;
  /** Connect code, if not the table's. */
  readonly code?: ErrorCodeName;
  /** What the guest itself said, if it said anything. */
  readonly guestText?: string;
  /** Milliseconds after which a retry can help, if not the table's. */
  readonly retryMs?: number;
  readonly cause?: unknown;
}

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
  /** Milliseconds after which a retry can help; undefined if no retry helps. */
  readonly retryMs: number | undefined;

  constructor(reason: Reason, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.reason = reason;
    this.metadata = extras.metadata ?? {};
    this.text = extras.text ?? table[reason].text;
    this.code = extras.code ?? table[reason].code;
    this.guestText = extras.guestText;
    const row: ErrorRow = table[reason];
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
