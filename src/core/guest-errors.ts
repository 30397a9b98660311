import { ErrorSchema, ToolBlockedSchema } from "@valinor/proto/valinor/link/v1/link";
import { AgentError, type AgentErrorCode } from "../fleet/errors.ts";
import { StoreError } from "../store/store.ts";
import type { StoreTrouble } from "../store/troubles.ts";
import { VaultError } from "../store/vault/vault.ts";
import { type Frame, readPayload, type ErrorCode, errorCodes } from "@valinor/protocol";
import { type ErrorCodeName, type Reason, toValinorError, ValinorError } from "./errors.ts";

/** Longest text of a guest that is shown to a client. */
const MAX_TEXT = 1_000;

/** Codes of a guest that have a reason of their own; every other one is AGENT_ERROR with the code in its metadata. */
const ownReasons: Partial<Record<ErrorCode, Reason>> = {
  invalid_message: "INVALID_ARGUMENT",
  config_stale: "CONFIG_PENDING",
  request_id_reused: "REQUEST_ID_REUSED",
  run_unknown: "RUN_UNKNOWN",
  run_lost: "RUN_LOST",
  run_trimmed: "RUN_TRIMMED",
  busy: "AGENT_BUSY",
  draining: "DRAINING",
  cancelled: "RUN_CANCELLED",
};

/** Connect codes of AGENT_ERRORs that a retry under another request_id can help. */
const agentErrorCodes: Partial<Record<ErrorCode, ErrorCodeName>> = {
  request_error: "unavailable",
  model_timeout: "deadline_exceeded",
  run_timeout: "deadline_exceeded",
};

/** The error that an `error` or `tool_blocked` frame tells of. Throws LinkError if its payload has the wrong shape. */
export function errorOfFrame(frame: Frame): ValinorError {
  if (frame.type === "tool_blocked") return blockedTool(frame);
  const { code, message, sequence } = readPayload(ErrorSchema, frame.payload);
  const text = cut(message);
  const known = errorCodes.find((name) => name === code) ?? "internal";
  const metadata = sequence === undefined ? {} : { sequence: String(sequence) };
  const own = ownReasons[known];
  if (own !== undefined) return new ValinorError(own, text, { metadata, guestText: text });
  const connectCode = agentErrorCodes[known];
  return new ValinorError("AGENT_ERROR", `the agent reports ${known}: ${text}`, {
    metadata: { ...metadata, code: known },
    text: `agent error: ${text}`,
    guestText: text,
    ...(connectCode === undefined ? {} : { code: connectCode }),
  });
}

/** A guest's text, short enough to be shown, and never with half a character at its end. */
function cut(text: string): string {
  return text.slice(0, MAX_TEXT).toWellFormed();
}

function blockedTool(frame: Frame): ValinorError {
  const blocked = readPayload(ToolBlockedSchema, frame.payload);
  const tool = cut(blocked.toolName);
  const sequence = blocked.sequence === undefined ? {} : { sequence: String(blocked.sequence) };
  const guestText = cut(blocked.reason);
  return new ValinorError("TOOL_BLOCKED", `tool ${tool} is blocked: ${guestText}`, {
    metadata: { ...sequence, tool },
    text: `tool blocked: ${tool}`,
    guestText,
  });
}

const agentReasons: Record<AgentErrorCode, Reason> = {
  not_running: "AGENT_NOT_RUNNING",
  unassigned: "AGENT_UNASSIGNED",
  config_pending: "CONFIG_PENDING",
  config_refused: "CONFIG_REJECTED",
  deleted: "AGENT_NOT_FOUND",
};

/** What a client is told of a store that does not work; the log says more. */
const storeTexts: Record<StoreTrouble | "other", string> = {
  full: "the store's disk is full, and nothing was changed: try again once the operator has made room",
  gone: "the store's file was removed or replaced, and nothing is written: try again once the operator has put it back",
  other: "the store did not answer",
};

/** Any error of the layers below as a ValinorError. */
export function translate(thrown: unknown): ValinorError {
  if (thrown instanceof AgentError)
    return new ValinorError(agentReasons[thrown.code], thrown.message, { cause: thrown });
  if (thrown instanceof VaultError) {
    // Its texts name places and settings, never a secret: they are for the client.
    const reason = thrown.code === "damaged" ? "INTERNAL" : "INVALID_ARGUMENT";
    return new ValinorError(reason, thrown.message, { cause: thrown });
  }
  if (!(thrown instanceof StoreError)) return toValinorError(thrown);
  switch (thrown.code) {
    case "exists":
      return new ValinorError("AGENT_EXISTS", thrown.message, { cause: thrown });
    case "not_found":
      return new ValinorError("AGENT_NOT_FOUND", thrown.message, { cause: thrown });
    case "address_taken":
      return new ValinorError("ADDRESS_TAKEN", thrown.message, { cause: thrown });
    case "revision_conflict":
    case "etag_conflict":
      return new ValinorError("REVISION_CONFLICT", thrown.message, { cause: thrown });
    case "too_many":
      return new ValinorError("LIMIT_EXCEEDED", thrown.message, { cause: thrown });
    case "unavailable":
      return new ValinorError("STORE_UNAVAILABLE", storeTexts[thrown.trouble ?? "other"], { cause: thrown });
  }
}
