import { type UnknownObject, isObject } from "@valinor/protocol";

/** Keys under which servers put what a model thinks before it answers. */
const REASONING = ["reasoning_content", "reasoning", "reasoning_text", "reasoning_details", "thinking"];
/** Parts of a content that are thoughts. */
const REASONING_PARTS: readonly unknown[] = ["thinking", "reasoning", "reasoning_text", "redacted_thinking"];

/** Text that a `delta` or `message` shows: its content, whether text or a list of parts, and its refusal. */
export function textOf(delta: UnknownObject): string {
  return contentText(delta["content"]) + (typeof delta["refusal"] === "string" ? delta["refusal"] : "");
}

/** True if a `delta` or `message` holds thoughts of the model. They are not shown. */
export function hasReasoning(delta: UnknownObject): boolean {
  const { content } = delta;
  const parts = Array.isArray(content) ? (content as unknown[]) : [];
  return (
    REASONING.some((key) => isFilled(delta[key])) ||
    parts.some((part) => isObject(part) && REASONING_PARTS.includes(part["type"]))
  );
}

function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (Array.isArray(content)) return content.map(partText).join("");
  return partText(content);
}

/** Text of one part; parts of other kinds, thoughts above all, have none. */
function partText(part: unknown): string {
  if (typeof part === "string") return part;
  if (!isObject(part)) return "";
  const { type = "text", text, refusal } = part;
  if (type === "refusal" && typeof refusal === "string") return refusal;
  if (type !== "text" && type !== "output_text") return "";
  if (isObject(text)) return typeof text["value"] === "string" ? text["value"] : "";
  return typeof text === "string" ? text : "";
}

function isFilled(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null && value !== "";
}
