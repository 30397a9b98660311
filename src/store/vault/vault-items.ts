import { createHash } from "node:crypto";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { isObject } from "@valinor/protocol";
import { type PairItems, SECRET_PREFIX } from "./vault-walk.ts";

/** Keys whose value names an item of a list, provided that it is a text or number and no other item has the same. */
const NAMING = ["id", "name"] as const;

/** Longer texts are told apart by their digest, so that a deep configuration is not written out again at every level. */
const LONGEST = 128;

/** A text for a value: the same for equal values, whatever the order of their keys. */
type Fingerprint = (value: JsonValue) => string;

/**
 * Tells which item of a stored list an item of a pushed list is; `placeholder` is what its secrets read as. Lists that read the same
 * are the same, item by item. In any other list an item is known by its `id` and `name`, if it has any and they are unique in
 * both lists, or by being equal in all but secrets to one single item, while no other pushed item is. A text that is itself an item
 * has nothing that tells which one it was. Made for one pair of configurations, which must not change meanwhile.
 */
export function identifyItems(placeholder: string): PairItems {
  const asPushed = fingerprints((text) => text);
  const asRead = fingerprints((text) => (text.startsWith(SECRET_PREFIX) ? placeholder : text));
  return (items, others) => {
    const read = others.map(asRead);
    if (items.length === others.length && items.every((item, index) => asPushed(item) === read[index])) {
      return items.map((_, index) => index);
    }
    const byName = unique(items.map(nameOf), others.map(nameOf));
    const byContent = unique(items.map(asRead), read);
    return items.map((item, index) =>
      typeof item === "string" ? undefined : (byName[index] ?? byContent[index]),
    );
  };

  /** What names an item; undefined if nothing names it. */
  function nameOf(item: JsonValue): string | undefined {
    if (!isObject(item)) return undefined;
    const names = NAMING.map((key) => (Object.hasOwn(item, key) ? item[key] : undefined));
    return names.some(isName) ? JSON.stringify(names.map((name) => asRead(name ?? null))) : undefined;
  }
}

function isName(value: unknown): boolean {
  if (typeof value === "string") return value !== "" && !value.startsWith(SECRET_PREFIX);
  return typeof value === "number";
}

/** For each mark the index of the same mark among the others, if both lists have it once. */
function unique(
  marks: readonly (string | undefined)[],
  others: readonly (string | undefined)[],
): (number | undefined)[] {
  const own = indexesOf(marks);
  const theirs = indexesOf(others);
  return marks.map((mark) => {
    if (mark === undefined || own.get(mark) === "several") return undefined;
    const found = theirs.get(mark);
    return found === "several" ? undefined : found;
  });
}

function indexesOf(marks: readonly (string | undefined)[]): Map<string, number | "several"> {
  const indexes = new Map<string, number | "several">();
  for (const [index, mark] of marks.entries()) {
    if (mark !== undefined) indexes.set(mark, indexes.has(mark) ? "several" : index);
  }
  return indexes;
}

/** Fingerprints of values whose texts are read in some way; each object and list is looked at once. */
function fingerprints(read: (text: string) => string): Fingerprint {
  const known = new WeakMap<object, string>();
  const of: Fingerprint = (value) => {
    if (typeof value === "string") return short(JSON.stringify(read(value)));
    if (typeof value !== "object" || value === null) return JSON.stringify(value);
    const before = known.get(value);
    if (before !== undefined) return before;
    const made = short(Array.isArray(value) ? `[${value.map(of).join()}]` : ofObject(value));
    known.set(value, made);
    return made;
  };
  return of;

  function ofObject(object: JsonObject): string {
    const keys = Object.keys(object).toSorted();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${of(object[key] ?? null)}`).join()}}`;
  }
}

/** No JSON begins with `#`: a digest is never taken for a text. */
function short(text: string): string {
  return text.length <= LONGEST ? text : `#${createHash("sha256").update(text).digest("base64url")}`;
}
