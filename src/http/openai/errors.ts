import type { IncomingMessage, ServerResponse } from "node:http";
import { errorRow, type Reason, ValinorError } from "../../core/errors.ts";
import { writeJson } from "../routing/json-answer.ts";

/** An error in OpenAI's shape. Programs tell errors apart by `code`. */
export interface OpenAIError {
  readonly error: {
    readonly message: string;
    readonly type: "invalid_request_error" | "rate_limit_error" | "server_error";
    readonly param: string | null;
    readonly code: string;
  };
}

/** Codes that OpenAI's clients know; every other reason is its own name in lower case. */
const knownCodes: Partial<Record<Reason, string>> = {
  AGENT_NOT_FOUND: "model_not_found",
  UNAUTHENTICATED: "invalid_api_key",
  RATE_LIMITED: "rate_limit_exceeded",
};

/** An error as OpenAI's clients read it: the agent's own code, or the reason of docs/errors.md in lower case, is its `code`. */
export function openaiError(error: ValinorError): OpenAIError {
  const { reason, message, metadata } = error;
  const code = metadata["code"] ?? knownCodes[reason] ?? reason.toLowerCase();
  const param = metadata["param"] ?? (reason === "AGENT_NOT_FOUND" ? "model" : null);
  return { error: { message, type: typeOf(errorRow(reason).status), param, code } };
}

function typeOf(status: number): OpenAIError["error"]["type"] {
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

/**
 * Answers with an error in OpenAI's shape. Its SDKs repeat 408, 409, 429 and 5xx by themselves, which could run a message twice:
 * `x-should-retry`, which they obey, says true only if a retry can help and can't run a message twice. Does nothing if the response has begun.
 */
export function writeOpenAIError(res: ServerResponse, error: ValinorError, req: IncomingMessage): void {
  const { reason, retryMs, metadata } = error;
  const headers: Record<string, string> = { "x-should-retry": String(mayRetry(error, req)) };
  if (retryMs !== undefined) {
    headers["retry-after"] = String(Math.max(1, Math.ceil(retryMs / 1000)));
    headers["retry-after-ms"] = String(Math.ceil(retryMs));
  }
  if (reason === "UNAUTHENTICATED") headers["www-authenticate"] = "Bearer";
  const requestId = metadata["request_id"];
  if (requestId !== undefined) headers["x-request-id"] = requestId;
  writeJson(res, errorRow(reason).status, openaiError(error), headers);
}

/**
 * Of the errors that a retry can help, only those of a run that is read no further are of one that may have begun: one that has a name is
 * attached to, and not run again.
 */
function mayRetry({ reason, retryMs, metadata }: ValinorError, req: IncomingMessage): boolean {
  if (retryMs === undefined) return false;
  const begun = errorRow(reason).retry === "attach" || metadata["last_sequence"] !== undefined;
  return !begun || req.headers["idempotency-key"] !== undefined;
}

/** An INVALID_ARGUMENT error about one parameter of a request. `code` is one that OpenAI uses. */
export function refusal(
  param: string,
  message: string,
  code: "invalid_value" | "unsupported_parameter" | "unsupported_value" = "invalid_value",
): ValinorError {
  return new ValinorError("INVALID_ARGUMENT", message, { metadata: { param, code } });
}
