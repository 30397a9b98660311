import { Failure, isObject } from "@valinor/protocol";

/** Longest reason that is passed on, in UTF-16 units. */
const MAX_LENGTH = 64;

/** Reason of an answer that is complete and does not say why it ended. */
export const UNKNOWN_REASON = "unknown";

/** Words of servers that say that the answer was not brought to its end. */
const FAILED =
  /^(?:.*error.*|abort(?:ed)?|(?:user_)?cancel(?:l?ed)?|fail(?:ed|ure)?|timeout|interrupted|insufficient_system_resource|malformed_function_call)$/;

/**
 * Reads a `finish_reason`: undefined if there is none yet. Some servers write an empty text, or the word null, in every piece; some
 * write an object with the reason under `type`.
 * Throws Failure `openclaw_error` for a reason that says that the model failed.
 */
export function readReason(value: unknown): string | undefined {
  const told = isObject(value) ? value["type"] : value;
  if (typeof told !== "string") return undefined;
  const reason = told.trim().slice(0, MAX_LENGTH).toWellFormed();
  if (reason === "" || reason === "null") return undefined;
  if (FAILED.test(reason.toLowerCase()))
    throw new Failure("openclaw_error", `OpenClaw reports: the model ended with finish_reason ${reason}`);
  return reason;
}
