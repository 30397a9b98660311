import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type Agent,
  type AgentRegistry,
  CreateAgentResponseSchema,
  DeleteAgentResponseSchema,
  GetAgentResponseSchema,
  ListAgentsResponseSchema,
  ListConfigRevisionsResponseSchema,
  RollbackConfigResponseSchema,
  UpdateAgentResponseSchema,
} from "@valinor/proto/valinor/v1/agent_registry";
import { ValinorError } from "../core/errors.ts";
import {
  agentToProto,
  changesFromProto,
  revisionToProto,
  statusFromProto,
  watchEventToProto,
} from "./agent-messages.ts";
import { callerOf, failure, type RpcServices, unary } from "./unary.ts";

/** AgentRegistry on top of the core. No logic of its own: it translates. */
export function agentRegistry(services: RpcServices): ServiceImpl<typeof AgentRegistry> {
  const { core } = services;
  return {
    createAgent: unary(services, async (caller, request) => {
      const { id, status, vsockCid, address } = requiredAgent(request.agent);
      const input = { id, status: statusFromProto(status) ?? "RUNNING", vsockCid, address };
      const agent = agentToProto(await core.createAgent(caller, input));
      return create(CreateAgentResponseSchema, { agent });
    }),

    getAgent: unary(services, async (caller, { agentId }) =>
      create(GetAgentResponseSchema, { agent: agentToProto(await core.getAgent(caller, agentId)) }),
    ),

    listAgents: unary(services, async (caller, request) => {
      const { agents, nextPageToken } = await core.listAgents(caller, request);
      return create(ListAgentsResponseSchema, { agents: agents.map(agentToProto), nextPageToken });
    }),

    updateAgent: unary(services, async (caller, request) => {
      const given = requiredAgent(request.agent);
      const changes = changesFromProto(given, request.updateMask);
      const view = await core.updateAgent(caller, { agentId: given.id, changes, etag: given.etag });
      return create(UpdateAgentResponseSchema, { agent: agentToProto(view) });
    }),

    deleteAgent: unary(services, async (caller, { agentId }) => {
      await core.deleteAgent(caller, agentId);
      return create(DeleteAgentResponseSchema);
    }),

    async *watchAgents(_request, context) {
      try {
        const events = core.watchAgents(callerOf(context), context.signal);
        for await (const event of events) yield watchEventToProto(event);
        // It ends by itself only when the client has left or its deadline has passed: never as a success.
        if (context.signal.aborted) throw new ValinorError("CLIENT_GONE", "the client has left");
      } catch (error) {
        throw failure(services, error, context.signal);
      }
    },

    listConfigRevisions: unary(services, async (caller, request) => {
      const { revisions, nextPageToken } = await core.listConfigRevisions(caller, request);
      return create(ListConfigRevisionsResponseSchema, {
        revisions: revisions.map(revisionToProto),
        nextPageToken,
      });
    }),

    rollbackConfig: unary(services, async (caller, request, signal) =>
      create(RollbackConfigResponseSchema, await core.rollbackConfig(caller, request, signal)),
    ),
  };
}

function requiredAgent(agent: Agent | undefined): Agent {
  if (agent === undefined) throw new ValinorError("INVALID_ARGUMENT", "the request has no agent");
  return agent;
}
