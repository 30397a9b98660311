import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type Agent,
  AgentSchema,
  type AgentRegistry,
  CreateAgentResponseSchema,
  DeleteAgentResponseSchema,
  GetAgentResponseSchema,
  ListAgentsResponseSchema,
} from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { AgentStatus } from "../../gen/ts/valinor/v1/types_pb.ts";
import { ValinorError } from "../core/errors.ts";
import type { AgentRecord, AgentState } from "../store/store.ts";
import { type RpcServices, unary } from "./unary.ts";

type Served = "createAgent" | "getAgent" | "listAgents" | "deleteAgent";

/** AgentRegistry on top of the core; what is not here answers unimplemented. */
export function agentRegistry(services: RpcServices): Pick<ServiceImpl<typeof AgentRegistry>, Served> {
  const { core } = services;
  return {
    createAgent: unary(services, async (caller, { agent }) => {
      if (agent === undefined) throw new ValinorError("INVALID_ARGUMENT", "the request has no agent");
      const { id, vsockCid, address } = agent;
      const record = await core.createAgent(caller, {
        id,
        status: statusFromProto(agent.status),
        vsockCid,
        address,
      });
      return create(CreateAgentResponseSchema, { agent: agentToProto(record) });
    }),

    getAgent: unary(services, async (caller, { agentId }) =>
      create(GetAgentResponseSchema, { agent: agentToProto(await core.getAgent(caller, agentId)) }),
    ),

    listAgents: unary(services, async (caller, request) => {
      const { agents, nextPageToken } = await core.listAgents(caller, request);
      return create(ListAgentsResponseSchema, { agents: agents.map(agentToProto), nextPageToken });
    }),

    deleteAgent: unary(services, async (caller, { agentId }) => {
      await core.deleteAgent(caller, agentId);
      return create(DeleteAgentResponseSchema);
    }),
  };
}

const toProto: Record<AgentState, AgentStatus> = {
  PROVISIONING: AgentStatus.PROVISIONING,
  RUNNING: AgentStatus.RUNNING,
  STOPPED: AgentStatus.STOPPED,
  FAILED: AgentStatus.FAILED,
};

/** The API's name of a status. */
export function statusToProto(status: AgentState): AgentStatus {
  return toProto[status];
}

function statusFromProto(status: Agent["status"]): AgentState {
  switch (status) {
    case AgentStatus.PROVISIONING:
      return "PROVISIONING";
    case AgentStatus.STOPPED:
      return "STOPPED";
    case AgentStatus.FAILED:
      return "FAILED";
    default:
      return "RUNNING";
  }
}

function agentToProto(record: AgentRecord): Agent {
  const { id, vsockCid, address, etag, configRevision } = record;
  return create(AgentSchema, {
    id,
    vsockCid,
    address,
    etag,
    configRevision,
    status: statusToProto(record.status),
    createTime: timestampFromDate(record.createTime),
    updateTime: timestampFromDate(record.updateTime),
  });
}
