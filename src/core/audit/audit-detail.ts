import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { NewAuditEntry } from "../../store/audit.ts";

/** Most UTF-16 units of a text in an entry. */
const MAX_TEXT = 300;
/** Most items of a list, and keys of an object, in a detail. */
const MAX_ITEMS = 32;
/** Deepest nesting of a detail. */
const MAX_DEPTH = 4;
/** Largest detail as JSON, in bytes. */
const MAX_DETAIL_BYTES = 4 * 1024;

/** An entry within bounds, of texts that every database takes: what clients and guests name may be of any length. */
export function boundEntry(entry: NewAuditEntry): NewAuditEntry {
  return {
    tenant: boundText(entry.tenant),
    subject: boundText(entry.subject),
    credential: boundText(entry.credential),
    action: entry.action,
    agentId: boundText(entry.agentId),
    detail: boundDetail(entry.detail),
  };
}

/** A detail of at most 4 KiB; `truncated` is true in one that a key was taken from. */
function boundDetail(detail: JsonObject): JsonObject {
  const bounded = boundValue(detail, 0) as JsonObject;
  if (byteLength(bounded) <= MAX_DETAIL_BYTES) return bounded;
  let kept: JsonObject = { truncated: true };
  for (const [key, value] of Object.entries(bounded)) {
    const more = { ...kept, [key]: value };
    if (byteLength(more) <= MAX_DETAIL_BYTES) kept = more;
  }
  return kept;
}

function boundValue(value: JsonValue, depth: number): JsonValue {
  if (typeof value === "string") return boundText(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_DEPTH) return "...";
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => boundValue(item, depth + 1));
  const entries = Object.entries(value).slice(0, MAX_ITEMS);
  return Object.fromEntries(entries.map(([key, item]) => [boundText(key), boundValue(item, depth + 1)]));
}

/** PostgreSQL takes neither a zero character nor half a surrogate pair, and an entry that it refuses would hold up all others. */
function boundText(text: string): string {
  const short = text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT - 3)}...`;
  return short.replaceAll("\0", "\u{fffd}").toWellFormed();
}

function byteLength(value: JsonObject): number {
  return Buffer.byteLength(JSON.stringify(value));
}
