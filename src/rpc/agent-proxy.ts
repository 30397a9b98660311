import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type AgentProxy,
  CancelMessageResponseSchema,
  GetAgentStatusResponseSchema,
  type Message,
  OnDisconnect,
  PushConfigResponseSchema,
  PushContextResponseSchema,
  SendMessageResponseSchema,
  type StreamRequest,
  type StreamResponse,
} from "@valinor/proto/valinor/v1/agent_proxy";
import { type ToolPolicy, ToolPolicy_Mode } from "@valinor/proto/valinor/v1/types";
import { ValinorError } from "../core/errors.ts";
import type { MessageInput, SendInput, StreamInput, ToolPolicyInput } from "../core/inputs.ts";
import type { RunStream } from "../core/types.ts";
import { configStateToProto, statusToProto } from "./agent-messages.ts";
import { relayKey } from "./coalesce.ts";
import { openedResponse } from "./encode.ts";
import { peerKey } from "./peer.ts";
import type { PlainSend } from "./direct/send-message-json.ts";
import { callerOf, failure, type RpcServices, unary, type UnaryCalls } from "./unary.ts";

/** The unary RPCs of AgentProxy: what they answer a caller whose call has passed the gate. They reject as the core does. */
export function agentProxyCalls({ core }: Pick<RpcServices, "core">) {
  return {
    sendMessage: async (caller, request, signal) => {
      const result = await core.send(caller, sendInput(request), signal);
      return create(SendMessageResponseSchema, { ...result, toolCalls: [...result.toolCalls] });
    },

    pushConfig: async (caller, request, signal) => {
      const { agentId, config = {}, expectedRevision } = request;
      const policy = policyInput(request.toolPolicy);
      const result = await core.pushConfig(caller, { agentId, config, policy, expectedRevision }, signal);
      return create(PushConfigResponseSchema, result);
    },

    pushContext: async (caller, request, signal) => {
      const { agentId, key, context } = request;
      const payload = key === "" ? { context } : { context, key };
      const { applied, reason } = await core.pushContext(caller, { agentId, key, payload }, signal);
      return create(PushContextResponseSchema, { applied, reason });
    },

    cancelMessage: async (caller, { agentId, requestId, reason }, signal) => {
      const found = await core.cancel(caller, { agentId, requestId, reason }, signal);
      return create(CancelMessageResponseSchema, { found });
    },

    getAgentStatus: async (caller, { agentId }) => {
      const { agent, ...view } = await core.status(caller, agentId);
      const { heartbeatAgeSecs, configState, ...rest } = view;
      return create(GetAgentStatusResponseSchema, {
        ...rest,
        ...(heartbeatAgeSecs === undefined ? {} : { heartbeatAgeSecs }),
        status: statusToProto(agent.status),
        configState: configStateToProto(configState),
        desiredRevision: agent.configRevision,
      });
    },
  } satisfies UnaryCalls<typeof AgentProxy>;
}

/** AgentProxy on top of the core. No logic of its own: it translates. */
export function agentProxy(services: RpcServices): ServiceImpl<typeof AgentProxy> {
  const calls = agentProxyCalls(services);
  return {
    sendMessage: unary(services, calls.sendMessage),
    pushConfig: unary(services, calls.pushConfig),
    pushContext: unary(services, calls.pushContext),
    cancelMessage: unary(services, calls.cancelMessage),
    getAgentStatus: unary(services, calls.getAgentStatus),
    stream: (request, context) => streamRun(services, request, context),
  };
}

/** Opens a run, says so, and hands its further events to the call's relay. */
async function* streamRun(
  services: RpcServices,
  request: StreamRequest,
  context: HandlerContext,
): AsyncGenerator<StreamResponse> {
  const { values, signal } = context;
  let run: RunStream | undefined;
  try {
    const { drop } = values.get(peerKey);
    run = await services.core.stream(callerOf(context), streamInput(request), signal, drop);
    const leave = () => run?.close();
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    yield openedResponse(run.opened);
    await values.get(relayKey).send(run);
  } catch (error) {
    throw failure(services, error, signal);
  } finally {
    run?.close();
  }
}

/** A request of SendMessage as the core takes it. */
export function sendInput(request: Readonly<PlainSend>): SendInput {
  const { agentId, conversationId, requestId, allowStaleConfig } = request;
  const message = messageInput(request.message);
  if (message === undefined) throw new ValinorError("INVALID_ARGUMENT", "the request has no message");
  return { agentId, message, conversationId, requestId, allowStaleConfig };
}

function messageInput(message: Pick<Message, "role" | "content"> | undefined): MessageInput | undefined {
  if (message === undefined) return undefined;
  return { role: message.role === "tool" ? "tool" : "user", content: message.content };
}

function streamInput(request: StreamRequest): StreamInput {
  const { agentId, conversationId, requestId, allowStaleConfig, afterSequence, life } = request;
  const message = messageInput(request.message);
  const onDisconnect = onDisconnectInput(request.onDisconnect);
  return {
    agentId,
    conversationId,
    requestId,
    allowStaleConfig,
    afterSequence,
    life,
    ...(message && { message }),
    ...(onDisconnect && { onDisconnect }),
  };
}

function onDisconnectInput(value: StreamRequest["onDisconnect"]): "continue" | "cancel" | undefined {
  if (value === OnDisconnect.CONTINUE) return "continue";
  return value === OnDisconnect.CANCEL ? "cancel" : undefined;
}

function policyInput(policy: ToolPolicy | undefined): ToolPolicyInput {
  const tools = policy?.tools ?? [];
  const listed = policy?.mode === ToolPolicy_Mode.LISTED || tools.length > 0;
  return listed ? { mode: "listed", tools } : { mode: "all", tools: [] };
}
