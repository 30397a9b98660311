import type { UsageJson } from "@valinor/proto/valinor/link/v1/link";
import { type UnknownObject, isObject } from "@valinor/protocol";

const MAX_COUNT = 0xffff_ffff;

/**
 * Reads the token counts in one object of an answer, wherever its server puts them; undefined if it has none. Counts that
 * are texts or fractions are read as whole numbers; a total that is missing is the sum.
 */
export function readUsage(value: UnknownObject): UsageJson | undefined {
  const { usage, x_groq: groq, choices } = value;
  const first: unknown = Array.isArray(choices) ? choices[0] : undefined;
  const told = [
    usage,
    isObject(groq) ? groq["usage"] : undefined,
    isObject(first) ? first["usage"] : undefined,
  ];
  for (const counts of told) {
    const read = isObject(counts) ? readCounts(counts) : undefined;
    if (read !== undefined) return read;
  }
  return undefined;
}

function readCounts(counts: UnknownObject): UsageJson | undefined {
  const prompt = countOf(counts["prompt_tokens"] ?? counts["input_tokens"]);
  const completion = countOf(counts["completion_tokens"] ?? counts["output_tokens"]);
  const total = countOf(counts["total_tokens"]);
  if (prompt === undefined && completion === undefined && total === undefined) return undefined;
  return {
    prompt_tokens: prompt ?? 0,
    completion_tokens: completion ?? 0,
    total_tokens: total ?? Math.min(MAX_COUNT, (prompt ?? 0) + (completion ?? 0)),
  };
}

function countOf(value: unknown): number | undefined {
  const count = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof count !== "number" || !(count >= 0)) return undefined;
  return Math.min(MAX_COUNT, Math.round(count));
}
