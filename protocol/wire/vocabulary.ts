/** Names on the wire: docs/wire-protocol.md sections 4 (frames) and 8 (error codes). */

/** Protocol that this program speaks. */
export const PROTOCOL = 2;

/** Every frame type that this program knows. */
export const frameTypes = [
  "heartbeat",
  "hello",
  "message",
  "opened",
  "chunk",
  "progress",
  "tool_call",
  "tool_blocked",
  "error",
  "credit",
  "detach",
  "cancel",
  "cancel_ack",
  "config_update",
  "context_update",
  "config_ack",
  "ping",
  "pong",
] as const;

/** Name of a frame type. */
export type FrameType = (typeof frameTypes)[number];

/** A frame's type for the text of an error: a guest may write anything there, and errors are logged. */
export function typeName(type: string): string {
  return frameTypes.find((name) => name === type) ?? "unknown";
}

/**
 * Codes of `error` frames, a closed list; a host takes any other as `internal`.
 * The first group ends an exchange without touching a run, the second ends the run, the third is protocol 1's.
 */
export const errorCodes = [
  "hello_refused",
  "invalid_message",
  "config_stale",
  "request_id_reused",
  "run_unknown",
  "run_lost",
  "run_trimmed",
  "busy",
  "draining",
  "invalid_config",

  "cancelled",
  "model_timeout",
  "run_timeout",
  "openclaw_error",
  "request_error",
  "read_error",
  "parse_error",
  "empty_response",
  "truncated",
  "too_large",
  "internal",

  "invalid_payload",
  "marshal_error",
] as const;

/** Code of an `error` frame. */
export type ErrorCode = (typeof errorCodes)[number];

/** What a protocol-1 guest is sent as allow-list when no tool is allowed: an empty list means all to it. */
export const NO_TOOLS_ALLOWLIST = ["valinor:none"];
