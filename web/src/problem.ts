import { ValinorError } from "@valinor/client";
import { visible } from "./visible.ts";

/** What went wrong, in words for a person and in names for the program. It can be kept as JSON. */
export interface Problem {
  /** Reason of docs/errors.md, or `UNEXPECTED` for a fault of the console itself. */
  readonly reason: string;
  /** What the server said. */
  readonly text: string;
  /** What to do about it; empty if nothing is known. */
  readonly advice: string;
  /** True if the error ended the run that was read; otherwise only the reading of it. */
  readonly endedRun: boolean;
}

/** What to do about a reason. */
const advices: Readonly<Record<string, string>> = {
  CONNECTION_LOST: "The control plane was not reached. Is it running?",
  UNAUTHENTICATED: "Enter a valid API key or token.",
  PERMISSION_DENIED: "The credential lacks a permission for this.",
  AGENT_NOT_FOUND: "The agent is gone, or belongs to somebody else.",
  AGENT_NOT_RUNNING: "Start its machine, then try again.",
  AGENT_UNASSIGNED: "Give the agent an address or a CID.",
  AGENT_UNREACHABLE: "Nothing reached the agent. Is its machine up?",
  CONFIG_PENDING: "The agent has not applied its configuration yet.",
  CONFIG_REJECTED:
    "The agent refused its configuration: correct it in Config, or answer with the one before.",
  RUN_LOST: "The agent restarted and the answer ended with it. Sending again starts a new run.",
  RUN_TRIMMED: "The agent no longer keeps this part of the answer. Sending again starts a new run.",
  RUN_UNKNOWN: "The agent does not know this run. Sending again starts a new one.",
  AGENT_TIMEOUT: "The agent did not answer in time. Trying again attaches to the same run.",
  AGENT_BUSY: "The agent runs as much as it can. Try again later.",
  TOOL_BLOCKED:
    "The agent's tool policy does not allow this tool. Change the policy in Config, or ask for something else.",
  AGENT_ERROR: "The agent's model failed. Sending again starts a new run.",
  REVISION_CONFLICT: "Somebody else was faster.",
  ADDRESS_TAKEN: "Another live agent has this address or CID.",
};

/** Reads any thrown value. */
export function readProblem(thrown: unknown): Problem {
  if (!(thrown instanceof ValinorError)) {
    console.error(thrown);
    return ownProblem("UNEXPECTED", thrown instanceof Error ? thrown.message : String(thrown));
  }
  const { reason, message, sequence } = thrown;
  return {
    reason: visible(reason).slice(0, 64),
    text: visible(message).slice(0, 2000),
    advice: advices[reason] ?? "",
    endedRun: sequence !== undefined,
  };
}

/** A problem that the console itself found. */
export function ownProblem(reason: string, text: string, advice = ""): Problem {
  return { reason, text: visible(text).slice(0, 2000), advice, endedRun: false };
}
