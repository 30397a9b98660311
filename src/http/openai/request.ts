import type { IncomingHttpHeaders } from "node:http";
import { ValinorError } from "../../core/errors.ts";
import type { SendInput } from "../../core/inputs.ts";
import { isAgentId, isName, isObject, sha256 } from "@valinor/protocol";
import type { UnknownJson } from "../routing/body.ts";
import { refusal } from "./errors.ts";
import { readTools } from "./tools.ts";
import { readTurns } from "./turns.ts";

/** A chat completion that a client asks for. */
export interface ChatRequest {
  readonly input: SendInput;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

/** Header that lets a run go on, or not, when its client leaves. */
const ON_DISCONNECT = "x-valinor-on-disconnect";

/** Takes a request apart. Throws INVALID_ARGUMENT with the parameter's name in its metadata, or AGENT_NOT_FOUND. */
export function readChatRequest(body: UnknownJson, headers: IncomingHttpHeaders): ChatRequest {
  refuseUnsupported(body);
  const agentId = readModel(body["model"]);
  const conversationId = readUser(body["user"] ?? "");
  const { message, ...turns } = readTurns(body["messages"], conversationId !== "");
  return {
    input: {
      agentId,
      message: { ...message, ...turns, ...readTools(body) },
      conversationId,
      requestId: readKey(headers["idempotency-key"]),
      allowStaleConfig: false,
      onDisconnect: readOnDisconnect(headers[ON_DISCONNECT]),
    },
    stream: readFlag(body["stream"], "stream"),
    includeUsage: readIncludeUsage(body["stream_options"] ?? {}),
  };
}

/**
 * Parameters that would change what the client gets, and the values at which they don't. All others that are not read here (such as
 * `temperature`, `max_tokens`, `seed`) are the agent's configuration's business, and ignored.
 */
const unsupported: Readonly<Record<string, (value: unknown) => boolean>> = {
  n: (value) => value === 1,
  stop: (value) => Array.isArray(value) && value.length === 0,
  logprobs: (value) => value === false,
  top_logprobs: (value) => value === 0,
  response_format: (value) => isObject(value) && value["type"] === "text",
  parallel_tool_calls: (value) => value === true,
  modalities: (value) => Array.isArray(value) && value.length === 1 && value[0] === "text",
  audio: never,
  functions: never,
  function_call: never,
  web_search_options: never,
};

function never(): boolean {
  return false;
}

function refuseUnsupported(body: UnknownJson): void {
  for (const [param, isHarmless] of Object.entries(unsupported)) {
    const value = body[param] ?? undefined;
    if (value === undefined || isHarmless(value)) continue;
    if (isHarmless === never) throw refusal(param, `${param} is not supported`, "unsupported_parameter");
    throw refusal(param, `this value of ${param} is not supported`, "unsupported_value");
  }
}

function readModel(value: unknown): string {
  if (typeof value !== "string" || value === "") throw refusal("model", "model must be the id of an agent");
  if (isAgentId(value)) return value;
  throw new ValinorError(
    "AGENT_NOT_FOUND",
    "there is no agent with that id: model must be the id of an agent",
  );
}

/** The conversation's id; text that is not a valid id is replaced by its digest. */
function readUser(value: unknown): string {
  if (typeof value !== "string") throw refusal("user", "user must be a text");
  return value === "" || isName(value) ? value : `user-${sha256(value)}`;
}

/** The run's name: a retry with the same key attaches to the run that the first one began. */
function readKey(value: string | string[] | undefined): string {
  const key = String(value ?? "");
  return key === "" || isName(key) ? key : `key-${sha256(key)}`;
}

function readOnDisconnect(value: string | string[] | undefined): "continue" | "cancel" {
  if (value === undefined || value === "cancel") return "cancel";
  if (value === "continue") return value;
  throw refusal(ON_DISCONNECT, `the header ${ON_DISCONNECT} must be continue or cancel`);
}

function readIncludeUsage(options: unknown): boolean {
  if (!isObject(options)) throw refusal("stream_options", "stream_options must be an object");
  return readFlag(options["include_usage"], "stream_options.include_usage");
}

function readFlag(value: unknown, param: string): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value === "boolean") return value;
  throw refusal(param, `${param} must be true or false`);
}
