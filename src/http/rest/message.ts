import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { MessageInput } from "../../core/inputs.ts";
import { invalid, type UnknownJson } from "../routing/body.ts";
import { isName, NAME_RULE } from "@valinor/protocol";

/** A client's message with the keys that are ours. */
export interface ParsedMessage {
  readonly message: MessageInput;
  readonly requestId: string;
  readonly conversationId: string;
  readonly allowStaleConfig: boolean;
  readonly onDisconnect: OnDisconnect | undefined;
}

/** What becomes of a run when its last reader has left. */
export type OnDisconnect = "continue" | "cancel";

/** Keys of a message that are ours and are not passed on. `__proto__` is never passed on. */
const ours = new Set([
  "role",
  "content",
  "request_id",
  "conversation_id",
  "allow_stale_config",
  "on_disconnect",
  "tool_call_id",
  "__proto__",
]);

/** Checks the types of a client's message and takes it apart; keys that are not ours go on as `extra`. Throws INVALID_ARGUMENT. */
export function parseMessage(body: UnknownJson): ParsedMessage {
  const { content } = body;
  if (typeof content !== "string" || content === "")
    throw invalid("content must be a text that is not empty");
  const toolCallId = parseToolCallId(body["tool_call_id"]);
  const extra = othersOf(body);
  return {
    message: {
      role: parseRole(body["role"]),
      content,
      ...(toolCallId !== undefined && { toolCallId }),
      ...(extra !== undefined && { extra }),
    },
    requestId: parseName(body["request_id"], "request_id"),
    conversationId: parseName(body["conversation_id"], "conversation_id"),
    allowStaleConfig: parseFlag(body["allow_stale_config"], "allow_stale_config"),
    onDisconnect: parseOnDisconnect(body["on_disconnect"]),
  };
}

/** Keys that are not ours; undefined if there are none. */
function othersOf(body: UnknownJson): JsonObject | undefined {
  let others: JsonObject | undefined;
  for (const key of Object.keys(body)) if (!ours.has(key)) (others ??= {})[key] = body[key] as JsonValue;
  return others;
}

function parseRole(value: unknown): MessageInput["role"] {
  if (value === undefined || value === null || value === "" || value === "user") return "user";
  if (value === "tool") return "tool";
  throw invalid("role must be user or tool");
}

function parseToolCallId(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" && value.length <= 256) return value;
  throw invalid("tool_call_id must be a text of at most 256 characters");
}

/** A request or conversation id; empty if there is none. Throws INVALID_ARGUMENT. */
export function parseName(value: unknown, key: string): string {
  if (value === undefined || value === null || value === "") return "";
  if (typeof value === "string" && isName(value)) return value;
  throw invalid(`${key} must be ${NAME_RULE}`);
}

function parseFlag(value: unknown, key: string): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value === "boolean") return value;
  throw invalid(`${key} must be true or false`);
}

/** `continue`, `cancel`, or undefined if nothing is said. Throws INVALID_ARGUMENT. */
export function parseOnDisconnect(value: unknown): OnDisconnect | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (value === "continue" || value === "cancel") return value;
  throw invalid("on_disconnect must be continue or cancel");
}
