import { isObject } from "@valinor/protocol";

/** Longest text of a server's that is passed on, in UTF-16 units; and how much of one is looked at for that. */
const TEXT_LENGTH = 500;
const LOOKED_AT = 4 * TEXT_LENGTH;
/** How much of a body, and of a page, words are looked for in. */
const BODY_LENGTH = 64 * 1024;
const PAGE_LENGTH = 8 * 1024;
/** How deep words are looked for in an error, and how many entries of a list are told. */
const DEPTH = 6;
const ENTRIES = 3;

/** A URL, or a host with a port: clients need not know where the guest's services are. */
const ADDRESS =
  /\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+|\b(?:localhost|\d{1,3}(?:\.\d{1,3}){3})(?::\d+)?\b|\[[0-9a-f:]+\](?::\d+)?/gi;

/** Keys under which servers put what went wrong, the most telling first. */
const KEYS =
  "message Message msg detail error errors error_message errorMessage error_description status_msg fault faultstring reason title code type status".split(
    " ",
  );

/** What a server says went wrong, for people: one line, bounded, and without addresses. */
export function describeError(error: unknown): string {
  return tell(wordsOf(error, DEPTH)) ?? "no reason given";
}

/** The same for the body of a failed answer, with a colon before it; empty if the body says nothing. */
export function describeBody(body: string): string {
  const told = tell(wordsOfBody(body));
  return told === undefined ? "" : `: ${told}`;
}

/** The words in an object of any shape: `{"error":{"message"}}`, `{"detail":[...]}`, `{"message"}`, lists of these and so on. */
function wordsOf(value: unknown, depth: number): string | undefined {
  if (depth === 0) return undefined;
  if (typeof value === "string") return value.trim() === "" ? undefined : value;
  if (typeof value === "number") return String(value);
  if (Array.isArray(value)) {
    const words = value.slice(0, ENTRIES).map((entry: unknown) => wordsOf(entry, depth - 1));
    return words.filter((entry) => entry !== undefined).join("; ") || undefined;
  }
  if (!isObject(value)) return undefined;
  for (const key of KEYS) {
    const words = wordsOf(value[key], depth - 1);
    if (words !== undefined) return `${placeOf(value["loc"])}${words}${causeOf(value["metadata"])}`;
  }
  return undefined;
}

/** Where in the request the fault is, as servers built on FastAPI tell it. */
function placeOf(loc: unknown): string {
  return Array.isArray(loc) && loc.length > 0 ? `${loc.slice(0, DEPTH).map(String).join(".")}: ` : "";
}

/** What the provider behind a gateway said, as OpenRouter passes it on beside words of its own. */
function causeOf(metadata: unknown): string {
  const raw = isObject(metadata) ? metadata["raw"] : undefined;
  const words = typeof raw === "string" ? wordsOfBody(raw) : wordsOf(raw, 2);
  return words === undefined ? "" : `: ${words}`;
}

/** The words in a body, whether it is JSON, server-sent events, a page or plain text. */
function wordsOfBody(body: string): string | undefined {
  const text = body
    .slice(0, BODY_LENGTH)
    .replace(/^\ufeff/, "")
    .trim();
  try {
    return wordsOf(JSON.parse(text) as unknown, DEPTH);
  } catch {
    // It is no JSON, so it is looked at as what it may be else.
  }
  if (/^(?:event|data):/.test(text)) {
    const data = [...text.matchAll(/^data: ?(.*)$/gm)].map(([, line]) => line ?? "").join("\n");
    return /^(?:event|data):/.test(data) ? data : wordsOfBody(data);
  }
  return text.startsWith("<") ? wordsOfPage(text) : text;
}

/** The title or first heading of a page, else its text. */
function wordsOfPage(page: string): string {
  const start = page.slice(0, PAGE_LENGTH);
  const named = /<title[^>]*>([^<]+)</i.exec(start)?.[1] ?? /<h1[^>]*>([^<]+)</i.exec(start)?.[1];
  return named ?? start.replaceAll(/<(script|style)\b[^<]*/gi, " ").replaceAll(/<[^>]*>?/g, " ");
}

/** The words as one line; undefined if nothing is left of them. */
function tell(words: string | undefined): string | undefined {
  const line = (words ?? "")
    .slice(0, LOOKED_AT)
    .replaceAll(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .replaceAll(ADDRESS, "[address]")
    .slice(0, TEXT_LENGTH);
  return line === "" ? undefined : line.toWellFormed();
}
