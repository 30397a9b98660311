import type { JsonValue } from "@bufbuild/protobuf";
import type { ConfigRecord } from "../../store/store.ts";
import { isObject } from "@valinor/protocol";

/** Most paths that are named. */
export const MAX_PATHS = 100;
/** Longest path in characters; what lies deeper is named by what it lies in. */
const MAX_LENGTH = 512;

/**
 * What differs between two revisions, as JSON pointers (RFC 6901) into `{config, tool_policy}`, in document order, at most
 * MAX_PATHS. Lists of one length are compared item by item; of two lengths, the list itself differs. The tools are a set.
 */
export function changedPaths(
  before: Pick<ConfigRecord, "config" | "policy">,
  after: Pick<ConfigRecord, "config" | "policy">,
): string[] {
  const paths: string[] = [];
  compare(before.config, after.config, "/config", paths);
  compare(policyJson(before), policyJson(after), "/tool_policy", paths);
  return paths;
}

function policyJson({ policy }: Pick<ConfigRecord, "policy">): JsonValue {
  // One text: a list would name items, and tools have no order.
  return { mode: policy.mode, tools: JSON.stringify(policy.tools.toSorted()) };
}

function compare(a: JsonValue, b: JsonValue, path: string, paths: string[]): void {
  if (a === b || paths.length >= MAX_PATHS) return;
  if (Array.isArray(a) && Array.isArray(b) && a.length === b.length) {
    for (const [index, item] of a.entries()) compareAt(item, b[index], path, String(index), paths);
    return;
  }
  if (isPlain(a) && isPlain(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      compareAt(own(a, key), own(b, key), path, key, paths);
    }
    return;
  }
  add(path, paths);
}

/** Undefined: there is no such key. */
function compareAt(
  a: JsonValue | undefined,
  b: JsonValue | undefined,
  parent: string,
  key: string,
  paths: string[],
): void {
  const inside: string[] = [];
  const path = `${parent}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  const into = path.length > MAX_LENGTH ? inside : paths;
  if (a === undefined || b === undefined) add(path, into);
  else compare(a, b, path, into);
  if (inside.length > 0) add(parent, paths);
}

function add(path: string, paths: string[]): void {
  if (paths.length < MAX_PATHS && paths.at(-1) !== path) paths.push(path);
}

function isPlain(value: JsonValue): value is { [key: string]: JsonValue } {
  return isObject(value) && !Array.isArray(value);
}

function own(object: { [key: string]: JsonValue }, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
