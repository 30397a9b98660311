import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { MessageInput } from "../../core/inputs.ts";
import { isObject, isToolName, limits } from "@valinor/protocol";
import type { UnknownJson } from "../routing/body.ts";
import { refusal } from "./errors.ts";

/** Reads `tools` and `tool_choice`: functions alone, and a choice among them. Throws INVALID_ARGUMENT. */
export function readTools(body: UnknownJson): Pick<MessageInput, "tools" | "toolChoice"> {
  const list = body["tools"] ?? [];
  if (!Array.isArray(list)) throw refusal("tools", "tools must be a list");
  if (list.length > limits.clientTools)
    throw refusal("tools", `a request may have at most ${limits.clientTools} tools`);
  const names = list.map(nameOf);
  if (new Set(names).size < names.length) throw refusal("tools", "two tools have the same name");
  const choice = readChoice(body["tool_choice"] ?? undefined, names);
  if (names.length === 0) return {};
  return { tools: list as JsonObject[], ...(choice !== undefined && { toolChoice: choice }) };
}

function nameOf(tool: unknown, index: number): string {
  const param = `tools[${index}]`;
  const { type, function: called } = isObject(tool) ? tool : {};
  if (type !== "function")
    throw refusal(`${param}.type`, "only tools of type function are supported", "unsupported_value");
  const name = isObject(called) ? called["name"] : undefined;
  if (typeof name === "string" && isToolName(name)) return name;
  throw refusal(`${param}.function.name`, "the name must be 1 to 64 of A-Z a-z 0-9 _ -");
}

function readChoice(choice: unknown, names: readonly string[]): JsonValue | undefined {
  const needsTool = choice === "required" || typeof choice === "object";
  if (needsTool && names.length === 0) throw refusal("tool_choice", "there are no tools to choose from");
  if (choice === undefined || choice === "none" || choice === "auto" || choice === "required") return choice;
  const { type, function: called } = isObject(choice) ? choice : {};
  if (type !== "function" || !isObject(called)) {
    throw refusal(
      "tool_choice",
      "tool_choice must be none, auto, required or a function",
      "unsupported_value",
    );
  }
  const { name } = called;
  if (typeof name === "string" && names.includes(name)) return { type, function: { name } };
  throw refusal("tool_choice", "tool_choice names a function that is not in tools");
}
