import type { CodeName, ValinorError } from "@valinor/client";
import type { ExitCode } from "../../terminal/errors.ts";

/** Reasons whose exit code is not that of their Connect code. */
const byReason: Readonly<Record<string, ExitCode>> = {
  // The credential is good, and the agent was reached: its policy forbids the tool.
  TOOL_BLOCKED: 1,
  REQUEST_TIMEOUT: 6,
  CONFIG_PENDING: 3,
  CONFIG_REJECTED: 3,
  // The agent was reached, its model was not.
  AGENT_ERROR: 1,
};

const byCode: Partial<Record<CodeName, ExitCode>> = {
  invalid_argument: 2,
  not_found: 4,
  unauthenticated: 5,
  permission_denied: 5,
  unavailable: 6,
  deadline_exceeded: 6,
};

/** The exit code of an error that a server gave, or of a connection that failed: the table of docs/cli.md. */
export function exitCodeOf({ reason, code }: Pick<ValinorError, "reason" | "code">): ExitCode {
  return (Object.hasOwn(byReason, reason) ? byReason[reason] : byCode[code]) ?? 1;
}
