import type { Agent, AgentLiveness } from "@valinor/proto/valinor/v1/agent_registry";
import { AgentStatus, ConfigState } from "@valinor/proto/valinor/v1/types";

/** A word and how good it is. */
export interface Label {
  readonly kind: "good" | "warn" | "bad" | "idle";
  readonly text: string;
}

const statuses: Readonly<Record<AgentStatus, Label>> = {
  [AgentStatus.UNSPECIFIED]: { kind: "idle", text: "unknown" },
  [AgentStatus.PROVISIONING]: { kind: "warn", text: "provisioning" },
  [AgentStatus.RUNNING]: { kind: "good", text: "running" },
  [AgentStatus.STOPPED]: { kind: "idle", text: "stopped" },
  [AgentStatus.FAILED]: { kind: "bad", text: "failed" },
};

const configs: Readonly<Record<ConfigState, Label>> = {
  [ConfigState.UNSPECIFIED]: { kind: "idle", text: "not known" },
  [ConfigState.PENDING]: { kind: "warn", text: "pending" },
  [ConfigState.APPLIED]: { kind: "good", text: "applied" },
  [ConfigState.REFUSED]: { kind: "bad", text: "refused" },
  [ConfigState.ASSUMED]: { kind: "good", text: "assumed" },
};

/** What its orchestrator says of an agent's machine. */
export function statusLabel(status: Agent["status"]): Label {
  return statuses[status] ?? statuses[AgentStatus.UNSPECIFIED];
}

/** Whether a link to the agent is up. */
export function linkLabel(agent: Agent): Label {
  if (agent.liveness?.connected === true) return { kind: "good", text: "connected" };
  const wanted = agent.status === AgentStatus.RUNNING;
  return wanted ? { kind: "bad", text: "away" } : { kind: "idle", text: "no link" };
}

/** Whether the agent has its desired configuration. */
export function configLabel(state: AgentLiveness["configState"]): Label {
  return configs[state] ?? configs[ConfigState.UNSPECIFIED];
}

/** How the OpenClaw beside the agent is. */
export function openclawLabel(openclaw: string): Label {
  if (openclaw === "ready") return { kind: "good", text: "ready" };
  if (openclaw === "starting") return { kind: "warn", text: "starting" };
  if (openclaw === "down") return { kind: "bad", text: "down" };
  return { kind: "idle", text: "not known" };
}
