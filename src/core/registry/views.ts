import type { AgentHandle } from "../../fleet/handle.ts";
import type { AgentRecord } from "../../store/store.ts";
import { statusOf } from "./status.ts";
import type { AgentStatusView } from "../types.ts";

/** An agent as the store has it, with what is seen of it; undefined: this process does not serve it (yet). */
export function viewOf(record: AgentRecord, handle: AgentHandle | undefined): AgentStatusView {
  return handle === undefined ? { ...unseen, agent: record } : { ...statusOf(handle), agent: record };
}

const unseen: Omit<AgentStatusView, "agent"> = {
  connected: false,
  protocol: 0,
  guestStatus: "",
  bootId: "",
  agentVersion: "",
  heartbeatAgeSecs: undefined,
  inFlight: 0,
  openclaw: "",
  openclawKind: "",
  openclawKindReason: "",
  remembers: "",
  observedRevision: 0,
  configState: "unknown",
  configReason: "the agent was never reached",
  lastError: "the agent was added elsewhere, and is taken up soon",
};
