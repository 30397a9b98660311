/** Why an agent takes no message. */
export type AgentErrorCode = "not_running" | "unassigned" | "config_pending" | "config_refused" | "deleted";

/** An error of an agent's state. Tell them apart by `code`. */
export class AgentError extends Error {
  override readonly name = "AgentError";
  readonly code: AgentErrorCode;

  constructor(code: AgentErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
