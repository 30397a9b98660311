import type { UnknownObject } from "../../wire/frame.ts";
import { limits } from "../../wire/limits.ts";
import { isObject } from "../../wire/values.ts";
import { isToolName } from "../../rules/names.ts";

/** A tool that the client runs: the model's call of it goes back to the client. */
export interface ClientTool {
  readonly name: string;
  /** As the client described it, in the shape of OpenAI's `tools`. */
  readonly described: UnknownObject;
}

const ROLES: readonly unknown[] = ["system", "developer", "user", "assistant", "tool"];

/** Reads `history`: turns in the shape of OpenAI's chat messages, texts alone. A string says what is wrong with it. */
export function readHistory(value: unknown): readonly UnknownObject[] | string {
  const turns = value ?? [];
  if (!Array.isArray(turns) || !turns.every(isObject)) return "history is not a list of objects";
  if (turns.length > limits.historyTurns) return `history has more than ${limits.historyTurns} turns`;
  for (const { role, content } of turns) {
    if (!ROLES.includes(role)) return "a turn of the history has a role that no chat knows";
    // Parts may name files and addresses, which the model's server would go and fetch.
    if (typeof content !== "string" && content !== null && content !== undefined) {
      return "a turn of the history has content that is not text";
    }
  }
  return turns;
}

/** Reads `tools`: functions in the shape of OpenAI's `tools`. A string says what is wrong with them. */
export function readTools(value: unknown): readonly ClientTool[] | string {
  const tools = value ?? [];
  if (!Array.isArray(tools) || !tools.every(isObject)) return "tools is not a list of objects";
  if (tools.length > limits.clientTools) return `there are more than ${limits.clientTools} tools`;
  const read: ClientTool[] = [];
  for (const described of tools) {
    const { type, function: called } = described;
    const name = isObject(called) ? called["name"] : undefined;
    if (type !== "function" || typeof name !== "string" || !isToolName(name)) {
      return "a tool is not a function with a name of 1 to 64 of A-Z a-z 0-9 _ -";
    }
    read.push({ name, described });
  }
  return read;
}
