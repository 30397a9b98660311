import type { JsonObject } from "@bufbuild/protobuf";
import { ValinorError } from "../../core/errors.ts";
import type { AgentStatusView, SendResult } from "../../core/types.ts";
import type { AgentRecord } from "../../store/store.ts";
import { invalid, readJsonObject } from "../routing/body.ts";
import { parseMessage, parseName } from "./message.ts";
import { requestLimits } from "../../core/request-limits.ts";
import { writeJson } from "../routing/json-answer.ts";
import type { RouteContext, RouteRow } from "../routing/routes.ts";
import { streamRoute } from "./stream-route.ts";
import { runHeaders } from "../routing/event-stream.ts";

/** POST `message`: runs a message to its end. */
async function messageRoute({
  core,
  caller,
  agentId,
  req,
  res,
  client,
  options,
}: RouteContext): Promise<void> {
  const { message, requestId, conversationId, allowStaleConfig } = parseMessage(
    await readJsonObject(req, options.body),
  );
  const input = { agentId, message, requestId, conversationId, allowStaleConfig };
  const result = await core.send(caller, input, client);
  writeJson(res, 200, messageJson(result), runHeaders(result));
}

/** `{"content"}` alone for a plain answer: clients of the first generation know no more. */
function messageJson(result: SendResult): object {
  const { content, finishReason, toolCalls } = result;
  const plain = finishReason === "" || finishReason === "stop";
  const calls = toolCalls.map(({ callId, toolName, arguments: args }) => ({
    call_id: callId,
    tool_name: toolName,
    arguments: args,
  }));
  return {
    content,
    ...(plain ? {} : { finish_reason: finishReason }),
    ...(calls.length === 0 ? {} : { tool_calls: calls }),
  };
}

/** POST `context`: stores an entry of the agent's context, and pushes it. */
async function contextRoute({
  core,
  caller,
  agentId,
  req,
  res,
  client,
  options,
}: RouteContext): Promise<void> {
  const body = await readJsonObject(req, options.body);
  const { context } = body;
  if (typeof context !== "string") throw invalid("context must be a text");
  const key = parseName(body["key"], "key");
  const input = { agentId, key, payload: body as JsonObject };
  const { applied, refused, timedOut, reason } = await core.pushContext(caller, input, client.signal);
  if (applied) return writeJson(res, 200, { status: "applied" });
  if (refused) throw new ValinorError("CONFIG_REJECTED", reason, { text: "agent rejected context update" });
  if (timedOut) throw new ValinorError("AGENT_TIMEOUT", reason, { text: "ack timeout" });
  writeJson(res, 202, { status: "stored", reason });
}

/** POST `cancel`: ends a run by its request id. */
async function cancelRoute({
  core,
  caller,
  agentId,
  req,
  res,
  client,
  options,
}: RouteContext): Promise<void> {
  const body = await readJsonObject(req, { ...options.body, maxBytes: requestLimits.smallBytes });
  const requestId = parseName(body["request_id"], "request_id");
  if (requestId === "") throw invalid("request_id is required");
  const given = body["reason"] ?? "";
  if (typeof given !== "string" || Buffer.byteLength(given) > 256) {
    throw invalid("reason must be a text of at most 256 bytes");
  }
  const cancelled = await core.cancel(caller, { agentId, requestId, reason: given }, client.signal);
  writeJson(res, 200, { cancelled });
}

/** GET an agent: what is known of it, without asking it. */
async function statusRoute({ core, caller, agentId, res }: RouteContext): Promise<void> {
  writeJson(res, 200, statusJson(await core.status(caller, agentId)));
}

/** GET the agents of the caller's tenant, a page at a time. */
async function listRoute({ core, caller, query, res }: RouteContext): Promise<void> {
  const size = query.get("page_size") ?? "";
  if (!/^\d{0,4}$/.test(size)) throw invalid("page_size must be a number", "invalid page_size");
  const page = await core.listAgents(caller, {
    pageSize: Number(size),
    pageToken: query.get("page_token") ?? "",
    filter: query.get("filter") ?? "",
  });
  writeJson(res, 200, {
    agents: page.agents.map(({ agent }) => agentJson(agent)),
    next_page_token: page.nextPageToken,
  });
}

/** The agents' routes. */
export const agentRoutes: readonly RouteRow[] = [
  { methods: ["GET", "HEAD"], path: "/agents", route: listRoute },
  { methods: ["GET", "HEAD"], path: "/agents/:id", route: statusRoute },
  { methods: ["POST"], path: "/agents/:id/message", route: messageRoute },
  // HEAD would deliver a message.
  { methods: ["GET", "POST"], path: "/agents/:id/stream", route: streamRoute },
  { methods: ["POST"], path: "/agents/:id/context", route: contextRoute },
  { methods: ["POST"], path: "/agents/:id/cancel", route: cancelRoute },
];

function agentJson(agent: AgentRecord): object {
  return {
    id: agent.id,
    status: agent.status,
    vsock_cid: agent.vsockCid,
    address: agent.address,
    config_revision: agent.configRevision,
    etag: agent.etag,
    create_time: agent.createTime.toISOString(),
    update_time: agent.updateTime.toISOString(),
  };
}

function statusJson(view: AgentStatusView): object {
  const age = view.heartbeatAgeSecs;
  return {
    ...agentJson(view.agent),
    connected: view.connected,
    protocol: view.protocol,
    guest_status: view.guestStatus,
    boot_id: view.bootId,
    agent_version: view.agentVersion,
    ...(age === undefined ? {} : { heartbeat_age_secs: age }),
    in_flight: view.inFlight,
    openclaw: view.openclaw,
    openclaw_kind: view.openclawKind,
    openclaw_kind_reason: view.openclawKindReason,
    remembers: view.remembers,
    observed_revision: view.observedRevision,
    config_state: view.configState,
    config_reason: view.configReason,
    last_error: view.lastError,
  };
}
