import type { Random } from "../helpers/random.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Values that programs stumble over. */
const ODD: readonly Json[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  4_294_967_295,
  4_294_967_296,
  2 ** 53 + 2,
  "",
  "\u0000",
  "\ud83d",
  "NaN",
  "../../etc/passwd",
  "x".repeat(300),
  "secret:x",
  "secret:[redacted]",
  "\u202e\r\n\u2028",
  [],
  {},
  [[]],
  [null],
  { __proto__x: 1, constructor: { prototype: 1 } },
];

const ODD_KEYS = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "",
  "type",
  "id",
  "payload",
  "\u0000",
];

/** Pieces of text that end, begin or escape something somewhere. */
const MARKS = [
  "{",
  "}",
  "[",
  "]",
  '"',
  "\\",
  "\n",
  "\r\n\r\n",
  ":",
  ",",
  "\u0000",
  "data:",
  "[DONE]",
  "&a *a",
  "- ",
  "%",
  "'",
  "AND",
];

/** Changes a JSON value in one to four places; it stays JSON. Does not change its argument. */
export function mutateJson(value: unknown, random: Random): unknown {
  const copy = structuredClone(value) as Json;
  const root = { root: copy };
  for (let left = 1 + random.below(4); left > 0; left--) changeOne(root, random);
  return root.root;
}

/** Every object and array in a value, itself included. */
function holders(
  value: Json,
  into: (Json[] | { [key: string]: Json })[] = [],
): (Json[] | { [key: string]: Json })[] {
  if (typeof value !== "object" || value === null || into.length > 500) return into;
  into.push(value);
  for (const inner of Array.isArray(value) ? value : Object.values(value)) holders(inner, into);
  return into;
}

function changeOne(root: { root: Json }, random: Random): void {
  const all = holders(root);
  const holder = all[random.below(all.length)] as { [key: string]: Json };
  const keys = Object.keys(holder);
  const key = keys[random.below(keys.length)];
  const set = (name: string, value: Json) =>
    Object.defineProperty(holder, name, { value, enumerable: true, writable: true, configurable: true });
  switch (random.below(7)) {
    case 0:
      if (key !== undefined && key !== "root") Reflect.deleteProperty(holder, key);
      return;
    case 1:
      if (!Array.isArray(holder)) set(pick(ODD_KEYS, random), structuredClone(pick(ODD, random)));
      return;
    case 2:
      if (key !== undefined) set(key, nested(holder[key] ?? null, random));
      return;
    case 3: {
      const other = all[random.below(all.length)];
      if (key !== undefined) set(key, structuredClone(other === root || other === undefined ? null : other));
      return;
    }
    case 4: {
      const text = key === undefined ? undefined : holder[key];
      if (key !== undefined && typeof text === "string") set(key, mutateText(text, random));
      else if (key !== undefined && typeof text === "number")
        set(key, text + (random.chance(0.5) ? 1 : -1) * 2 ** random.below(54));
      return;
    }
    default:
      if (key !== undefined) set(key, structuredClone(pick(ODD, random)));
  }
}

/** The value, inside of arrays or objects; now and then many more than anybody sends. */
function nested(value: Json, random: Random): Json {
  let result = value;
  for (let left = random.chance(0.1) ? random.below(200) : 1 + random.below(4); left > 0; left--)
    result = random.chance(0.5) ? [result] : { a: result };
  return result;
}

/** Changes a text in a place or two. */
export function mutateText(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  switch (random.below(5)) {
    case 0:
      return text.slice(0, at) + pick(MARKS, random) + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + random.below(8));
    case 2:
      return text.slice(0, at) + text.slice(0, at + random.below(40)) + text.slice(at);
    case 3:
      return text.slice(0, at) + String.fromCharCode(random.below(0x1_0000)) + text.slice(at + 1);
    default:
      return text.slice(0, at) + pick(MARKS, random).repeat(1 + random.below(100)) + text.slice(at);
  }
}

/** Changes bytes in one to six places: bits, lengths, pieces left out, twice, or of another input. */
export function mutateBytes(bytes: Buffer, random: Random, other: Buffer = bytes): Buffer {
  let result = Buffer.from(bytes);
  for (let left = 1 + random.below(6); left > 0; left--) {
    const at = random.below(result.length + 1);
    switch (random.below(6)) {
      case 0:
        if (at < result.length) result[at] = (result[at] as number) ^ (1 << random.below(8));
        break;
      case 1:
        if (at < result.length) result[at] = random.below(256);
        break;
      case 2:
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + 1 + random.below(64))]);
        break;
      case 3:
        result = Buffer.concat([
          result.subarray(0, at),
          result.subarray(at, at + random.below(256)),
          result.subarray(at),
        ]);
        break;
      case 4: {
        const from = random.below(other.length + 1);
        result = Buffer.concat([
          result.subarray(0, at),
          other.subarray(from, from + random.below(256)),
          result.subarray(at),
        ]);
        break;
      }
      default:
        if (at + 4 <= result.length)
          result.writeUInt32BE(pick([0, 1, 2, 255, 65_536, 4_194_304, 4_194_305, 0xffff_ffff], random), at);
    }
  }
  return result;
}

/** One of a list. */
export function pick<T>(list: readonly T[], random: Random): T {
  return list[random.below(list.length)] as T;
}
