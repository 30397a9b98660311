import type { CodeName, ValinorError } from "@valinor/client";
import { exitCodes, type KnownReason } from "@valinor/proto/reasons";
import type { ExitCode } from "../../terminal/errors.ts";

/** Exit codes of errors whose reason only a newer server knows, by the code that Connect gives them. */
const byCode: Partial<Record<CodeName, ExitCode>> = {
  invalid_argument: 2,
  not_found: 4,
  unauthenticated: 5,
  permission_denied: 5,
  unavailable: 6,
  deadline_exceeded: 6,
};

/** The exit code of an error that a server gave, or of a connection that failed: the table of docs/errors.md. */
export function exitCodeOf({ reason, code }: Pick<ValinorError, "reason" | "code">): ExitCode {
  return isKnown(reason) ? exitCodes[reason] : (byCode[code] ?? 1);
}

function isKnown(reason: string): reason is KnownReason {
  return Object.hasOwn(exitCodes, reason);
}
