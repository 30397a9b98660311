import { create } from "@bufbuild/protobuf";
import { type FieldMask, timestampFromDate, timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Agent,
  type AgentLiveness,
  AgentLivenessSchema,
  AgentSchema,
  ConfigOutcome,
  type ConfigRevision,
  ConfigRevisionSchema,
  type WatchAgentsResponse,
  WatchAgentsResponseSchema,
} from "@valinor/proto/valinor/v1/agent_registry";
import { KeepaliveSchema } from "@valinor/proto/valinor/v1/agent_proxy";
import { AgentStatus, ConfigState, ToolPolicy_Mode } from "@valinor/proto/valinor/v1/types";
import { ValinorError } from "../core/errors.ts";
import type { AgentStatusView, ConfigRevisionView, WatchEvent } from "../core/types.ts";
import type { AgentChanges, AgentState, ConfigVerdict } from "../store/store.ts";

const statuses: Record<AgentState, AgentStatus> = {
  PROVISIONING: AgentStatus.PROVISIONING,
  RUNNING: AgentStatus.RUNNING,
  STOPPED: AgentStatus.STOPPED,
  FAILED: AgentStatus.FAILED,
};

/** The API's name of a status. */
export function statusToProto(status: AgentState): AgentStatus {
  return statuses[status];
}

/** The status that a client gave; undefined if it gave no status. */
export function statusFromProto(status: AgentStatus): AgentState | undefined {
  switch (status) {
    case AgentStatus.PROVISIONING:
      return "PROVISIONING";
    case AgentStatus.RUNNING:
      return "RUNNING";
    case AgentStatus.STOPPED:
      return "STOPPED";
    case AgentStatus.FAILED:
      return "FAILED";
    case AgentStatus.UNSPECIFIED:
      return undefined;
  }
}

const configStates: Record<AgentStatusView["configState"], ConfigState> = {
  unknown: ConfigState.UNSPECIFIED,
  pending: ConfigState.PENDING,
  applied: ConfigState.APPLIED,
  refused: ConfigState.REFUSED,
  assumed: ConfigState.ASSUMED,
};

/** The API's name of a configuration's state. */
export function configStateToProto(state: AgentStatusView["configState"]): ConfigState {
  return configStates[state];
}

/** An agent with what is seen of it. */
export function agentToProto(view: AgentStatusView): Agent {
  const { id, status, vsockCid, address, etag, configRevision, createTime, updateTime } = view.agent;
  return create(AgentSchema, {
    id,
    vsockCid,
    address,
    etag,
    configRevision,
    status: statusToProto(status),
    createTime: timestampFromDate(createTime),
    updateTime: timestampFromDate(updateTime),
    liveness: livenessToProto(view),
  });
}

function livenessToProto(view: AgentStatusView): AgentLiveness {
  const { connected, observedRevision, configReason, inFlight, openclaw, lastError, heartbeatAgeSecs } = view;
  return create(AgentLivenessSchema, {
    connected,
    observedRevision,
    configReason,
    inFlight,
    openclaw,
    lastError,
    configState: configStateToProto(view.configState),
    ...(heartbeatAgeSecs !== undefined && {
      heartbeatTime: timestampFromMs(Math.round(Date.now() - heartbeatAgeSecs * 1000)),
    }),
  });
}

/**
 * What UpdateAgent is to change: the fields of the mask; without a mask, the fields that have a value. Throws INVALID_ARGUMENT that names
 * the path.
 */
export function changesFromProto(agent: Agent, mask: FieldMask | undefined): AgentChanges {
  const paths = mask === undefined || mask.paths.length === 0 ? pathsWithValue(agent) : mask.paths;
  let changes: AgentChanges = {};
  for (const path of paths) changes = { ...changes, ...changeOf(agent, path) };
  return changes;
}

function pathsWithValue(agent: Agent): string[] {
  const paths: string[] = [];
  if (agent.status !== AgentStatus.UNSPECIFIED) paths.push("status");
  if (agent.vsockCid !== 0) paths.push("vsock_cid");
  if (agent.address !== "") paths.push("address");
  return paths;
}

function changeOf(agent: Agent, path: string): AgentChanges {
  switch (path) {
    case "status": {
      const status = statusFromProto(agent.status);
      if (status !== undefined) return { status };
      throw new ValinorError("INVALID_ARGUMENT", "update_mask names status, and the agent has none");
    }
    case "vsock_cid":
      return { vsockCid: agent.vsockCid };
    case "address":
      return { address: agent.address };
    default: {
      const name = JSON.stringify(path.slice(0, 100));
      throw new ValinorError(
        "INVALID_ARGUMENT",
        `update_mask: ${name} can't be changed; status, vsock_cid and address can`,
      );
    }
  }
}

const outcomes: Record<ConfigVerdict["outcome"], ConfigOutcome> = {
  none: ConfigOutcome.UNSPECIFIED,
  applied: ConfigOutcome.APPLIED,
  refused: ConfigOutcome.REFUSED,
};

/** A revision as it is shown. */
export function revisionToProto(view: ConfigRevisionView): ConfigRevision {
  const { revision, config, policy, sha256, author, rollbackOf, changedPaths, verdict } = view;
  const mode = policy.mode === "all" ? ToolPolicy_Mode.ALL : ToolPolicy_Mode.LISTED;
  return create(ConfigRevisionSchema, {
    revision,
    config,
    sha256,
    author,
    rollbackOf,
    toolPolicy: { mode, tools: [...policy.tools] },
    changedPaths: [...changedPaths],
    createTime: timestampFromDate(view.createTime),
    outcome: outcomes[verdict.outcome],
    outcomeReason: verdict.reason,
    ...(verdict.time !== undefined && { outcomeTime: timestampFromDate(verdict.time) }),
  });
}

/** An event of a watch. */
export function watchEventToProto(event: WatchEvent): WatchAgentsResponse {
  return create(WatchAgentsResponseSchema, { event: eventCase(event) });
}

function eventCase(event: WatchEvent): WatchAgentsResponse["event"] {
  switch (event.kind) {
    case "agent":
      return { case: "agent", value: agentToProto(event.agent) };
    case "deleted":
      return { case: "deletedAgentId", value: event.agentId };
    case "snapshot_complete":
      return { case: "snapshotComplete", value: true };
    case "resync":
      return { case: "resync", value: event.reason };
    case "keepalive":
      return { case: "keepalive", value: create(KeepaliveSchema) };
  }
}
