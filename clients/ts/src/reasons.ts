/** Reasons that servers give; docs/errors.md says what each means. A server may be newer and give others. */
export const serverReasons = [
  "UNAUTHENTICATED",
  "PERMISSION_DENIED",
  "INVALID_ARGUMENT",
  "REQUEST_TIMEOUT",
  "REQUEST_TOO_LARGE",
  "UNIMPLEMENTED",
  "AGENT_NOT_FOUND",
  "AGENT_EXISTS",
  "ADDRESS_TAKEN",
  "REVISION_NOT_FOUND",
  "RUN_UNKNOWN",
  "AGENT_NOT_RUNNING",
  "AGENT_UNASSIGNED",
  "CONFIG_PENDING",
  "AGENT_UNREACHABLE",
  "RUN_INTERRUPTED",
  "RUN_LOST",
  "RUN_TRIMMED",
  "REQUEST_ID_REUSED",
  "REVISION_CONFLICT",
  "RUN_CANCELLED",
  "CLIENT_GONE",
  "AGENT_TIMEOUT",
  "TOOL_BLOCKED",
  "AGENT_ERROR",
  "INVALID_FRAME",
  "FRAME_TOO_LARGE",
  "CONFIG_REJECTED",
  "LIMIT_EXCEEDED",
  "AGENT_BUSY",
  "RATE_LIMITED",
  "REPLY_TOO_LARGE",
  "DRAINING",
  "STORE_UNAVAILABLE",
  "AUTH_UNAVAILABLE",
  "INTERNAL",
] as const;

/**
 * Reasons that this library gives itself: `CONNECTION_LOST` where the server could not be reached or the connection broke,
 * `SEQUENCE_GAP` where a stream left out an event.
 */
export type ClientReason = "CONNECTION_LOST" | "SEQUENCE_GAP";

/** A reason that this version knows. */
export type KnownReason = (typeof serverReasons)[number] | ClientReason;

/** Any reason: editors propose the known ones, and those of newer servers are texts as well. */
export type Reason = KnownReason | (string & {});

/**
 * Reasons after which the same call, made again, may succeed without anybody doing something about it. AGENT_NOT_RUNNING and
 * AGENT_UNASSIGNED are not among them: somebody has to start the agent's machine first.
 */
export const transientReasons: ReadonlySet<Reason> = new Set<KnownReason>([
  "CONNECTION_LOST",
  "AGENT_UNREACHABLE",
  "RUN_INTERRUPTED",
  "CONFIG_PENDING",
  "AGENT_TIMEOUT",
  "AGENT_BUSY",
  "RATE_LIMITED",
  "DRAINING",
  "STORE_UNAVAILABLE",
  "AUTH_UNAVAILABLE",
]);

/** Reasons that leave open whether the agent got the message. */
export const unsureReasons: ReadonlySet<Reason> = new Set<KnownReason>([
  "CONNECTION_LOST",
  "RUN_INTERRUPTED",
  "AGENT_TIMEOUT",
  "INTERNAL",
]);
