import { sha256, type UnknownObject } from "@valinor/protocol";
import type { ModelRequest } from "../runs/model.ts";
import type { ServerKind } from "../settings/options.ts";

/** Asks for bytes that are not compressed: a compressed stream may be held back until there is enough of it. */
export const PLAIN_BYTES = { "accept-encoding": "identity" } as const;

/** Body of the request. On OpenClaw `model` names an agent; the model goes into a header. */
export function requestBody(request: ModelRequest, kind: ServerKind): string {
  const { conversationId, settings, tools } = request;
  const user = kind === "openclaw" ? sessionUser(conversationId) : conversationId;
  return JSON.stringify({
    model: kind === "openclaw" ? "openclaw/default" : (settings.model ?? "default"),
    stream: true,
    stream_options: { include_usage: true },
    user: conversationId === "" ? undefined : user,
    temperature: settings.temperature,
    top_p: settings.topP,
    max_tokens: settings.maxTokens,
    tools: tools.length === 0 ? undefined : tools.map(({ described }) => described),
    tool_choice: tools.length === 0 ? undefined : request.toolChoice,
    messages: kind === "openclaw" ? allTurns(request) : mergedTurns(request),
  });
}

/**
 * The `user` that names a conversation to OpenClaw, which makes a session key of it in lower case: a digest, so
 * that ids which differ in case alone, or in anything else, never share a session.
 */
export function sessionUser(conversationId: string): string {
  return `valinor-${sha256(conversationId)}`;
}

function allTurns(request: ModelRequest): readonly object[] {
  return [
    ...request.systemTexts.map((content) => ({ role: "system", content })),
    ...request.history,
    { role: request.role, content: request.content, tool_call_id: request.toolCallId },
  ];
}

/**
 * The same turns with every instruction in one system message at their head: the templates of many models take no other, and know
 * no `developer`.
 */
function mergedTurns(request: ModelRequest): readonly object[] {
  const turns = allTurns(request) as readonly UnknownObject[];
  const isInstruction = ({ role }: UnknownObject) => role === "system" || role === "developer";
  const texts = turns.filter(isInstruction).map(({ content }) => content);
  const content = texts.filter((text) => typeof text === "string" && text !== "").join("\n\n");
  const others = turns.filter((turn) => !isInstruction(turn));
  return content === "" ? others : [{ role: "system", content }, ...others];
}

/** Header that lets the agent in. */
export function authorization(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** Headers of the request. */
export function requestHeaders(
  request: ModelRequest,
  kind: ServerKind,
  token: string | undefined,
): Record<string, string> {
  const { model } = request.settings;
  return {
    "content-type": "application/json",
    accept: "text/event-stream, application/json",
    ...PLAIN_BYTES,
    ...authorization(token),
    ...(kind === "openclaw" && model !== undefined && { "x-openclaw-model": model }),
  };
}
