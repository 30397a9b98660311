import type { KnownReason } from "@valinor/client";

/** What to do about an error, for a person at a terminal. */
const advice: Record<KnownReason, string> = {
  UNAUTHENTICATED: "Set VALINOR_API_KEY to a valid API key or token.",
  PERMISSION_DENIED: "Use a credential that has the permission, or ask for it.",
  INVALID_ARGUMENT: "Correct it.",
  REQUEST_TIMEOUT: "Try again; the connection to the server is slow.",
  REQUEST_TOO_LARGE: "Send less.",
  UNIMPLEMENTED: "The server is older than this program, or --server names no Valinor: try valinor doctor.",
  AGENT_NOT_FOUND: "See valinor agents ls for the agents that there are, and check --server and --tenant.",
  AGENT_EXISTS: "Choose another id, or change that one with valinor agents set.",
  ADDRESS_TAKEN: "Stop the agent that has it (valinor agents set ID --status stopped), or choose another.",
  REVISION_NOT_FOUND: "See valinor config history for the revisions that are kept.",
  RUN_UNKNOWN: "Check the request id and the agent; runs are kept for 10 minutes after their end.",
  AGENT_NOT_RUNNING: "Start its machine and say so: valinor agents set ID --status running.",
  AGENT_UNASSIGNED: "Give it one: valinor agents set ID --address ADDRESS.",
  CONFIG_PENDING:
    "Try again, or answer with the old configuration: --allow-stale-config. valinor doctor says why.",
  AGENT_UNREACHABLE: "Look at the agent's machine; valinor doctor says what is wrong with the link.",
  RUN_INTERRUPTED: "Try again with the same --request-id: the message runs once.",
  RUN_LOST: "Send the message again, if it may run twice.",
  RUN_TRIMMED: "Send the message again, if it may run twice.",
  REQUEST_ID_REUSED: "Choose another --request-id.",
  REVISION_CONFLICT: "Read it again, and decide.",
  RUN_CANCELLED: "Somebody cancelled it; send it again if it is still wanted.",
  CLIENT_GONE: "Try again.",
  AGENT_TIMEOUT: "Try again with the same --request-id; valinor doctor says how the agent is.",
  TOOL_BLOCKED: "Allow the tool with valinor config push --tools, or ask for something else.",
  AGENT_ERROR: "Look at the model's log; valinor doctor says whether OpenClaw is up.",
  INVALID_FRAME: "Look at the agent's version and log.",
  FRAME_TOO_LARGE: "Look at the agent's version and log.",
  CONFIG_REJECTED: "Correct the configuration and push it, or use the old one: --allow-stale-config.",
  LIMIT_EXCEEDED: "Use less of it.",
  AGENT_BUSY: "Try again when some of its runs have ended.",
  RATE_LIMITED: "Try again in a moment.",
  REPLY_TOO_LARGE: "Read it with valinor stream and the same --request-id.",
  DRAINING: "Try again in a moment.",
  STORE_UNAVAILABLE: "Try again; the server's operator finds the cause in its log.",
  AUTH_UNAVAILABLE: "Try again; the server can't fetch its issuer's keys now.",
  INTERNAL: "This is a fault of the server; its log has the cause.",
  CONNECTION_LOST: "Check --server; valinor doctor says what is wrong.",
  SEQUENCE_GAP: "Try again with the same --request-id.",
};

/** What to do about an error of this reason; undefined where a newer server gives one that is not known here. */
export function adviceFor(reason: string): string | undefined {
  return Object.hasOwn(advice, reason) ? advice[reason as keyof typeof advice] : undefined;
}
