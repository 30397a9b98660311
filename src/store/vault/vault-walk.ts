import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { isObject } from "@valinor/protocol";

/** What a text of a configuration begins with that is a secret. */
export const SECRET_PREFIX = "secret:";

/** What the other configuration has for a value. */
export interface Beside {
  /** Undefined if it has nothing, or if nothing tells which one it is. */
  readonly value: JsonValue | undefined;
  /** Its JSON pointer there: in lists it may have another index. */
  readonly place: string;
  /** JSON pointer, in the walked configuration, of the list that has it or has it under it, if nothing tells which item it was. */
  readonly unclear?: string;
}

/** What becomes of a secret. `place` is its JSON pointer. */
export type SecretChange = (text: string, place: string, beside: Beside) => string;

/** For each item of a list the index that it has in the other one; undefined if nothing tells. */
export type PairItems = (
  items: readonly JsonValue[],
  others: readonly JsonValue[],
) => readonly (number | undefined)[];

/**
 * A copy of a configuration in which each text that begins with `secret:` is changed. Nested at most as deep as a frame may be. The
 * other configuration is walked along, by keys and, in lists, as `pair` says (default: by index, for two of the same shape).
 */
export function mapSecrets(
  config: JsonObject,
  other: JsonObject | undefined,
  change: SecretChange,
  pair: PairItems = byIndex,
): JsonObject {
  const walk: Walk = { change, pair };
  return mapObject(walk, config, "", { value: other, place: "" });
}

interface Walk {
  readonly change: SecretChange;
  readonly pair: PairItems;
}

function byIndex(items: readonly JsonValue[]): readonly number[] {
  return items.map((_, index) => index);
}

function mapObject(walk: Walk, object: JsonObject, place: string, beside: Beside): JsonObject {
  const others = isObject(beside.value) ? beside.value : {};
  // fromEntries defines keys: one named __proto__ stays one.
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => {
      const step = `/${escapeKey(key)}`;
      const other = Object.hasOwn(others, key) ? others[key] : undefined;
      const under = { ...beside, value: other, place: beside.place + step };
      return [key, mapValue(walk, value, place + step, under)];
    }),
  );
}

function mapValue(walk: Walk, value: JsonValue, place: string, beside: Beside): JsonValue {
  if (typeof value === "string") {
    return value.startsWith(SECRET_PREFIX) ? walk.change(value, place, beside) : value;
  }
  if (Array.isArray(value)) return mapList(walk, value, place, beside);
  return isObject(value) ? mapObject(walk, value, place, beside) : value;
}

function mapList(walk: Walk, list: readonly JsonValue[], place: string, beside: Beside): JsonValue[] {
  const others = Array.isArray(beside.value) ? beside.value : [];
  const indexes = others.length === 0 ? [] : walk.pair(list, others);
  return list.map((item, index) => {
    const found = indexes[index];
    const under =
      found === undefined
        ? { ...beside, value: undefined, ...(others.length > 0 && { unclear: place }) }
        : { ...beside, value: others[found], place: `${beside.place}/${found}` };
    return mapValue(walk, item, `${place}/${index}`, under);
  });
}

/** A key as a JSON pointer has it (RFC 6901). */
function escapeKey(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** A place for a message: keys may be as long as a client likes. */
export function shownPlace(place: string): string {
  return JSON.stringify(place.length > 200 ? `${place.slice(0, 200)}...` : place);
}
