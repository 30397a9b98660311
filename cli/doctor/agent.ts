import type { GetAgentStatusResponse } from "@valinor/proto/valinor/v1/agent_proxy";
import { AgentStatus, ConfigState } from "@valinor/proto/valinor/v1/types";
import type { Check } from "./checks.ts";
import { statusName } from "../client/agents/form.ts";

/** An agent sends a heartbeat every 10 s; so long without one, it is silent. */
const SILENT_SECONDS = 30;

/** Texts of last errors, and what to do about each. The server tells the system's own words, and no code beside them. */
const linkHints: readonly (readonly [RegExp, string])[] = [
  [
    /ECONNREFUSED|ENOENT/,
    "Nothing listens there: start valinor-agent in the guest, and check the address (valinor agents set ID --address).",
  ],
  [/EACCES|EPERM/, "The server's user may not open the guest's socket: give it access."],
  [
    /ENODEV|vsock/i,
    "Check that the machine runs with this CID, and that the host has vsock (doctor --config).",
  ],
  [/EHOSTUNREACH|ENETUNREACH|ENOTFOUND/, "Check the address (valinor agents set ID --address)."],
  [
    /refused the hello/,
    "The tokens differ: the guest's --token-file and the server's proxy.guest_token_file must hold the same one.",
  ],
  [/says it is agent/, "Another agent has this address: compare the guest's --agent-id with the registry."],
  [
    /ETIMEDOUT|time|silent|ping|heartbeat/i,
    "The machine may be paused or overloaded, or what listens there is no valinor-agent; look at its log.",
  ],
  [/no address/, "Give it one: valinor agents set ID --address ADDRESS."],
];

/** What is wrong with an agent, each fault once; or that nothing is. */
export function judgeAgent(id: string, known: GetAgentStatusResponse): Check[] {
  const name = `agent ${id}`;
  if (known.status !== AgentStatus.RUNNING) return [{ name, ...judgeStatus(id, known.status) }];
  if (!known.connected) return [{ name, ...judgeLink(id, known.lastError) }];
  const found = [
    judgeHeartbeat(known),
    judgeOpenclaw(known),
    judgeKind(known),
    judgeConfig(id, known),
    judgeLife(known),
    judgeMemory(known),
  ].filter((finding) => finding !== undefined);
  if (found.length > 0) return found.map((finding) => ({ name, ...finding }));
  const detail = `link up, revision ${known.desiredRevision} in force${serverText(known)}, ${known.inFlight} runs`;
  return [{ name, state: "ok", detail }];
}

type Finding = Omit<Check, "name">;

function judgeStatus(id: string, status: AgentStatus): Finding {
  return {
    state: status === AgentStatus.FAILED ? "fail" : "warn",
    detail: `its machine is ${statusName(status)}, so that it takes no messages`,
    hint: `Start it, and say so: valinor agents set ${id} --status running.`,
  };
}

function judgeLink(id: string, lastError: string): Finding {
  const hint = linkHints.find(([pattern]) => pattern.test(lastError))?.[1];
  return {
    state: "fail",
    detail: `there is no link to it: ${lastError || "it was not dialled yet"}`,
    hint: (hint ?? "Look at the agent's machine and its log.").replaceAll("ID", id),
  };
}

function judgeHeartbeat({ heartbeatAgeSecs: age }: GetAgentStatusResponse): Finding | undefined {
  if (age === undefined || age <= SILENT_SECONDS) return undefined;
  return {
    state: "fail",
    detail: `the guest is silent: its last heartbeat came ${Math.round(age)} s ago`,
    hint: "Its machine may be paused or overloaded; look at it.",
  };
}

function judgeOpenclaw({ openclaw }: GetAgentStatusResponse): Finding | undefined {
  if (openclaw === "down") {
    return {
      state: "fail",
      detail: "OpenClaw beside the agent is down",
      hint: "Start it in the guest, and check valinor-agent's --openclaw-url and --openclaw-token-file.",
    };
  }
  if (openclaw !== "starting") return undefined;
  const detail = "OpenClaw beside the agent is starting";
  return { state: "warn", detail, hint: "Wait; it takes up to a minute after a boot." };
}

/** What is beside the agent, how it is, and how the agent knows. */
function serverText({
  openclaw,
  openclawKind: kind,
  openclawKindReason: reason,
}: GetAgentStatusResponse): string {
  if (openclaw === "") return "";
  const name = kind === "plain" ? "a server of OpenAI's API" : "OpenClaw";
  return `, ${name} ${openclaw}${reason === "" ? "" : ` (${reason})`}`;
}

/** A server that answered, and could be either kind. */
function judgeKind({
  openclaw,
  openclawKind,
  openclawKindReason: reason,
}: GetAgentStatusResponse): Finding | undefined {
  if (openclaw === "down" || openclawKind !== "" || reason === "") return undefined;
  return {
    state: "warn",
    detail: `whether OpenClaw or another server is beside the agent is not known: ${reason}`,
    hint: "Wait until it is up, or start valinor-agent with --server-kind openclaw or openai.",
  };
}

function judgeConfig(id: string, known: GetAgentStatusResponse): Finding | undefined {
  const { configState, configReason: reason, desiredRevision: revision } = known;
  if (configState === ConfigState.REFUSED) {
    return {
      state: "fail",
      detail: `it refused revision ${revision} of its configuration: ${reason}`,
      hint: `Correct it (valinor config push ${id} FILE), or go back (valinor config rollback ${id} REVISION).`,
    };
  }
  if (configState !== ConfigState.PENDING && configState !== ConfigState.UNSPECIFIED) return undefined;
  return {
    state: "fail",
    detail: `its configuration has not converged: revision ${revision} is not in force (${reason || "no reason given"})`,
    hint: "It is pushed until the agent takes it; until then messages need --allow-stale-config.",
  };
}

function judgeMemory({ remembers }: GetAgentStatusResponse): Finding | undefined {
  if (remembers !== "memory") return undefined;
  return {
    state: "warn",
    detail:
      "it remembers only in memory which requests it has taken: after a restart the same request can run again",
    hint: "Start valinor-agent with --state-dir DIR, on a disk that outlives it.",
  };
}

function judgeLife({ guestStatus }: GetAgentStatusResponse): Finding | undefined {
  if (guestStatus !== "draining") return undefined;
  return { state: "warn", detail: "the agent is stopping: it takes no new messages" };
}
