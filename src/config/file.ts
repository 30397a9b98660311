import { readFileSync } from "node:fs";
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { errorText } from "@valinor/protocol";

/** What a configuration file holds, before anything of it is checked. */
export interface ConfigFile {
  readonly path: string;
  /** The top-level keys. */
  readonly content: Readonly<Record<string, unknown>>;
  /** `PATH:LINE` of a value, or of the nearest thing around it. */
  where(keys: readonly (string | number)[]): string;
}

/** The file, or why it cannot be read: each problem a sentence that names the place. */
export function readConfigFile(path: string): ConfigFile | { readonly problems: readonly string[] } {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    return { problems: [`cannot read the configuration file: ${errorText(error)}`] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const problems = document.errors.map(
      (error) => `${path}:${lines.linePos(error.pos[0]).line}: ${error.message}`,
    );
    return { problems };
  }
  return contentOf(path, document, lines);
}

function contentOf(
  path: string,
  document: Document.Parsed,
  lines: LineCounter,
): ReturnType<typeof readConfigFile> {
  let content: unknown;
  try {
    content = document.toJS() ?? {};
  } catch (error) {
    return { problems: [`${path}: ${errorText(error)}`] };
  }
  if (!isRecord(content)) return { problems: [`${path}: must be a mapping of keys, such as server:`] };
  return {
    path,
    content,
    where: (keys) => `${path}:${lines.linePos(offsetOf(document.contents, keys)).line}`,
  };
}

function offsetOf(root: Node | null, keys: readonly (string | number)[]): number {
  let node: unknown = root;
  let offset = 0;
  for (const key of keys) {
    const next = childOf(node, key);
    if (next === undefined) break;
    offset = next.offset ?? offset;
    node = next.node;
  }
  return offset;
}

function childOf(
  node: unknown,
  key: string | number,
): { node: unknown; offset?: number | undefined } | undefined {
  if (isMap(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
    return pair && { node: pair.value, offset: isScalar(pair.key) ? pair.key.range?.[0] : undefined };
  }
  if (!isSeq(node) || typeof key !== "number") return undefined;
  const item = node.items[key] as Node | undefined;
  return item && { node: item, offset: item.range?.[0] };
}

/** True for an object that is no list. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
