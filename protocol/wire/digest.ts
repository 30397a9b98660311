/** The tool policy as the link writes it. */
export interface PolicyForDigest {
  readonly mode: "all" | "listed";
  readonly tools: readonly string[];
}

/**
 * JSON with object keys in code-unit order and no white space: the same text for the same value, whoever writes it.
 * Takes what JSON.parse gives; nested at most as deep as a frame may be.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
}

/**
 * Digest of a configuration: SHA-256, hexadecimal, of the canonical JSON of `{"config","tool_policy":{"mode","tools"}}`, the
 * tools in order. No configuration (null, undefined) stands for `{}`. Host and guest both compute it: an acknowledged digest
 * is one of what is really in force.
 */
export function configDigest(config: unknown, policy: PolicyForDigest): string {
  const tools = policy.tools.toSorted();
  return sha256(canonicalJson({ config: config ?? {}, tool_policy: { mode: policy.mode, tools } }));
}

/**
 * Digest of a context: SHA-256, hexadecimal, of the canonical JSON of `{KEY: TEXT}`. An entry with an empty text is none, so that
 * the digest of no context is that of `{}`. Host and guest both compute it.
 */
export function contextDigest(entries: Iterable<readonly [key: string, text: string]>): string {
  const held = [...entries].filter(([, text]) => text !== "");
  held.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return sha256(`{${held.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`).join(",")}}`);
}

/** SHA-256 of a text's UTF-8, hexadecimal. */
export function sha256(text: string): string {
  // Loaded with the first digest: 6 ms of the start of an agent, which has none to make before it listens.
  const { createHash } = process.getBuiltinModule("node:crypto");
  return createHash("sha256").update(text).digest("hex");
}
