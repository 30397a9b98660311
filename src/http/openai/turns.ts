import type { JsonObject } from "@bufbuild/protobuf";
import type { MessageInput } from "../../core/inputs.ts";
import { isObject, limits } from "@valinor/protocol";
import type { UnknownJson } from "../routing/body.ts";
import { refusal } from "./errors.ts";

/** The turn that is answered, and those before it that the agent does not know. */
export interface Turns {
  readonly message: Pick<MessageInput, "role" | "content" | "toolCallId">;
  readonly history: readonly JsonObject[];
  /** All turns before it, if `history` lacks some: an agent that keeps no conversations gets these. */
  readonly wholeHistory?: readonly JsonObject[];
}

/** A turn of a chat with what is passed on of it. */
interface Turn extends JsonObject {
  role: "system" | "developer" | "user" | "assistant" | "tool";
  content: string;
  tool_call_id?: string;
}

const roles: readonly unknown[] = ["system", "developer", "user", "assistant", "tool"];

/**
 * Reads `messages`. The last turn that is not an instruction must be a user's or a tool's. In a lasting conversation the agent has the history:
 * only instructions go along, and the tool calls whose results are told here. Throws INVALID_ARGUMENT.
 */
export function readTurns(value: unknown, lasting: boolean): Turns {
  if (!Array.isArray(value) || value.length === 0)
    throw refusal("messages", "messages must be a list that is not empty");
  if (value.length > limits.historyTurns)
    throw refusal("messages", `messages holds at most ${limits.historyTurns} turns`);
  const turns = value.map(readTurn);
  const position = turns.findLastIndex((turn) => !isInstruction(turn));
  const last = turns[position];
  if (last === undefined || last.role === "assistant") {
    throw refusal("messages", "the last message must have the role user or tool");
  }
  if (last.role === "user" && last.content === "")
    throw refusal(`messages[${position}].content`, "the content is empty");
  const before = turns.toSpliced(position, 1);
  const since = lasting ? unknownSince(turns, position) : 0;
  const history = before.filter((turn, index) => isInstruction(turn) || index >= since);
  const isShorter = history.length < before.length;
  return { message: messageOf(last), history, ...(isShorter && { wholeHistory: before }) };
}

/** Index of the first turn that a lasting conversation lacks: the last one, or the call that it and the turns before it answer. */
function unknownSince(turns: readonly Turn[], position: number): number {
  let from = position;
  while (turns[from - 1]?.role === "tool") from--;
  return turns[from]?.role === "tool" && turns[from - 1]?.role === "assistant" ? from - 1 : from;
}

function isInstruction({ role }: Turn): boolean {
  return role === "system" || role === "developer";
}

function messageOf({ role, content, tool_call_id: callId }: Turn): Turns["message"] {
  if (role !== "tool") return { role: "user", content };
  return { role, content, ...(callId !== undefined && { toolCallId: callId }) };
}

function readTurn(value: unknown, index: number): Turn {
  const param = `messages[${index}]`;
  if (!isObject(value)) throw refusal(param, "a message must be an object");
  const { role, name } = value;
  if (!isRole(role))
    throw refusal(`${param}.role`, "the role must be system, developer, user, assistant or tool");
  const turn: Turn = { role, content: readText(value["content"], role, `${param}.content`) };
  if (typeof name === "string" && name !== "") turn["name"] = name;
  if (role === "assistant") Object.assign(turn, readCalls(value, param));
  if (role === "tool") turn["tool_call_id"] = readId(value["tool_call_id"], `${param}.tool_call_id`);
  return turn;
}

/** A text, or parts that are texts. Nothing else: a part may name an address, which the agent's side would go and fetch. */
function readText(value: unknown, role: Turn["role"], param: string): string {
  if (typeof value === "string") return value;
  if ((value === null || value === undefined) && role === "assistant") return "";
  if (!Array.isArray(value)) throw refusal(param, "the content must be a text or a list of parts");
  const texts = value.map((part: unknown, index) => {
    const { type, text, refusal: refused } = isObject(part) ? part : {};
    if (type === "text" && typeof text === "string") return text;
    if (type === "refusal" && typeof refused === "string" && role === "assistant") return refused;
    throw refusal(`${param}[${index}]`, "only parts of type text are supported", "unsupported_value");
  });
  return texts.join("\n");
}

/** What an assistant called. */
function readCalls(turn: UnknownJson, param: string): JsonObject {
  if ((turn["function_call"] ?? undefined) !== undefined) {
    throw refusal(`${param}.function_call`, "use tool_calls", "unsupported_parameter");
  }
  const calls = turn["tool_calls"] ?? [];
  if (!Array.isArray(calls)) throw refusal(`${param}.tool_calls`, "tool_calls must be a list");
  if (calls.length === 0) return {};
  return { tool_calls: calls.map((call: unknown, index) => readCall(call, `${param}.tool_calls[${index}]`)) };
}

function readCall(value: unknown, param: string): JsonObject {
  const call = isObject(value) ? value : {};
  const called = isObject(call["function"]) ? call["function"] : {};
  const { name, arguments: args } = called;
  if ((call["type"] ?? "function") !== "function") {
    throw refusal(param, "only calls of functions are supported", "unsupported_value");
  }
  if (typeof name !== "string" || typeof args !== "string") {
    throw refusal(param, "a call needs function.name and function.arguments, both texts");
  }
  return { id: readId(call["id"], `${param}.id`), type: "function", function: { name, arguments: args } };
}

function readId(value: unknown, param: string): string {
  if (typeof value === "string" && value !== "" && value.length <= 256) return value;
  throw refusal(param, "an id is a text of 1 to 256 characters");
}

function isRole(value: unknown): value is Turn["role"] {
  return roles.includes(value);
}
