import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "@valinor/proto/google/rpc/error_details";
import { visible } from "./visible.ts";

/** What went wrong, in words for a person and in names for the program. It can be kept as JSON. */
export interface Problem {
  /** Reason of docs/errors.md; `NETWORK` where no answer of the server was understood. */
  readonly reason: string;
  /** What the server said. */
  readonly text: string;
  /** What to do about it; empty where nothing is known. */
  readonly advice: string;
  /** True where the error ended the run that was read; otherwise only this attempt to read it. */
  readonly endedRun: boolean;
  /** True where the same request may be sent again by itself, as it never runs twice. */
  readonly passing: boolean;
  /** Milliseconds that the server asks to wait before another attempt; 0 where it does not say. */
  readonly retryMs: number;
}

/** Reasons that go away by themselves, and the advice for those that do not. */
const passing = new Set([
  "NETWORK",
  "AGENT_UNREACHABLE",
  "RUN_INTERRUPTED",
  "CONFIG_PENDING",
  "DRAINING",
  "STORE_UNAVAILABLE",
  "RATE_LIMITED",
]);

const advices: Readonly<Record<string, string>> = {
  NETWORK: "The control plane was not reached. Is it running?",
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

const INTERNAL_NAMES: Readonly<Partial<Record<Code, string>>> = {
  [Code.Unauthenticated]: "UNAUTHENTICATED",
  [Code.PermissionDenied]: "PERMISSION_DENIED",
  [Code.Unimplemented]: "UNIMPLEMENTED",
};

/**
 * Reads any thrown value. What carries no ErrorInfo was not said by the control plane: a cut connection, a stream without its end,
 * a proxy's error page. That is `NETWORK`, but for the codes that HTTP statuses stand for alone.
 */
export function readProblem(thrown: unknown): Problem {
  const error = ConnectError.from(thrown);
  const [info] = error.findDetails(ErrorInfoSchema);
  const [retry] = error.findDetails(RetryInfoSchema);
  const reason = info?.reason ?? INTERNAL_NAMES[error.code] ?? "NETWORK";
  const delay = retry?.retryDelay;
  return {
    reason: visible(reason).slice(0, 64),
    text: visible(error.rawMessage).slice(0, 2000),
    advice: advices[reason] ?? "",
    endedRun: info?.metadata["sequence"] !== undefined,
    passing: passing.has(reason) && info?.metadata["sequence"] === undefined,
    retryMs: delay === undefined ? 0 : Number(delay.seconds) * 1000 + delay.nanos / 1e6,
  };
}

/** A problem that the console itself found. */
export function ownProblem(reason: string, text: string, advice = ""): Problem {
  return { reason, text, advice, endedRun: false, passing: false, retryMs: 0 };
}
