import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { isObject } from "../wire/values.ts";

/** What a text of a configuration begins with that is a secret. */
export const SECRET_PREFIX = "secret:";

/** What becomes of a secret. `place` is its JSON pointer, `beside` what the other configuration has there. */
export type SecretChange = (text: string, place: string, beside: JsonValue | undefined) => string;

/** A copy of a configuration in which each text that begins with `secret:` is changed. Nested at most as deep as a frame may be. */
export function mapSecrets(
  config: JsonObject,
  other: JsonObject | undefined,
  change: SecretChange,
): JsonObject {
  return mapObject(config, "", other, change);
}

function mapObject(
  object: JsonObject,
  place: string,
  beside: JsonValue | undefined,
  change: SecretChange,
): JsonObject {
  const others = isObject(beside) ? beside : {};
  // fromEntries defines keys: one named __proto__ stays one.
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => {
      const other = Object.hasOwn(others, key) ? others[key] : undefined;
      return [key, mapValue(value, `${place}/${escapeKey(key)}`, other, change)];
    }),
  );
}

function mapValue(
  value: JsonValue,
  place: string,
  beside: JsonValue | undefined,
  change: SecretChange,
): JsonValue {
  if (typeof value === "string") {
    return value.startsWith(SECRET_PREFIX) ? change(value, place, beside) : value;
  }
  if (Array.isArray(value)) {
    const others = Array.isArray(beside) ? beside : [];
    return value.map((item, index) => mapValue(item, `${place}/${index}`, others[index], change));
  }
  return isObject(value) ? mapObject(value, place, beside, change) : value;
}

/** A key as a JSON pointer has it (RFC 6901). */
function escapeKey(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** A place for a message: keys may be as long as a client likes. */
export function shownPlace(place: string): string {
  return JSON.stringify(place.length > 200 ? `${place.slice(0, 200)}...` : place);
}
