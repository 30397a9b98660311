import type { AgentHandle } from "../../fleet/handle.ts";
import type { AgentStatusView } from "../types.ts";
import { monotonicNow } from "@valinor/protocol";

/** What is known of an agent without asking it. */
export function statusOf(agent: AgentHandle): AgentStatusView {
  const { record, link, last, convergence, heartbeatAt } = agent;
  const heartbeat = last?.heartbeat;
  const { state } = convergence;
  const current = last?.heartbeatAt ?? 0;
  const heard = Math.max(heartbeatAt, current);
  return {
    agent: record,
    connected: link?.current !== undefined,
    protocol: last?.protocol ?? 0,
    guestStatus: heartbeat?.status.slice(0, 64) ?? "",
    bootId: last?.bootId.slice(0, 128) ?? "",
    agentVersion: heartbeat?.agentVersion?.slice(0, 64) ?? "",
    heartbeatAgeSecs: heard === 0 ? undefined : Math.max(0, (monotonicNow() - heard) / 1000),
    inFlight: heartbeat?.inFlight ?? 0,
    openclaw: heartbeat?.openclaw?.slice(0, 64) ?? "",
    openclawKind: heartbeat?.openclawKind?.slice(0, 64) ?? "",
    openclawKindReason: heartbeat?.openclawKindReason?.slice(0, 256).toWellFormed() ?? "",
    remembers: heartbeat?.remembers?.slice(0, 64) ?? "",
    observedRevision: convergence.observedRevision,
    configState: last === undefined && state.kind === "pending" ? "unknown" : state.kind,
    configReason: "reason" in state ? state.reason : "",
    lastError: link === undefined ? "the agent is not to run, or has no address" : link.lastError,
  };
}
