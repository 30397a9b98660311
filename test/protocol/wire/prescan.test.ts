import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { limits } from "../../../protocol/wire/limits.ts";
import { prescan } from "../../../protocol/wire/prescan.ts";
import { rawFrame, refusal } from "./pieces.ts";

/** What prescan finds, of a text alone. */
function scan(text: string): string | undefined {
  const bytes = Buffer.from(text);
  return prescan(bytes, 0, bytes.length);
}

/** Depth and structural characters of a JSON text, one character after the other. */
function count(text: string): { depth: number; tokens: number } {
  let depth = 0;
  let deepest = 0;
  let tokens = 0;
  let inside = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (inside && c === "\\") i++;
    else if (c === '"') inside = !inside;
    if (inside) continue;
    if ("{}[],:".includes(c)) tokens++;
    if ("{[".includes(c)) deepest = Math.max(deepest, ++depth);
    if ("}]".includes(c)) depth--;
  }
  return { depth: deepest, tokens };
}

/** What prescan should find. */
function reference(text: string): "deep" | "many" | undefined {
  const { depth, tokens } = count(text);
  if (depth > limits.jsonDepth) return "deep";
  return tokens > limits.jsonTokens ? "many" : undefined;
}

/** Strings that are hard to find the end of: quotes and backslashes, short and longer than what is walked bytewise. */
const trickyString = fc.string({
  unit: fc.constantFrom("\\", '"', "{", "[", "}", ",", "a", "é"),
  maxLength: 120,
});
const wrapped = fc.tuple(fc.jsonValue(), trickyString, fc.integer({ min: 0, max: 80 }));

describe("prescan", () => {
  test("agrees with a naive count on random JSON", () => {
    fc.assert(
      fc.property(wrapped, ([value, text, levels]) => {
        const inner = JSON.stringify([text, value, { [text]: text }, text]);
        const json = "[".repeat(levels) + inner + "]".repeat(levels);
        expect(scan(json) === undefined).toBe(reference(json) === undefined);
      }),
      { numRuns: 500 },
    );
  });

  test("agrees with a naive count if the number of tokens is near the bound", () => {
    fc.assert(
      fc.property(trickyString, fc.integer({ min: -4, max: 4 }), (text, near) => {
        const string = JSON.stringify(text);
        const items = Array.from<string>({ length: limits.jsonTokens - 2 + 1 + near }).fill(string);
        const json = `[${items.join(",")}]`;
        expect(scan(json) === undefined).toBe(near <= 0);
      }),
      { numRuns: 10 },
    );
  });

  test("looks only at its part of the buffer", () => {
    const deep = "[".repeat(100);
    const bytes = Buffer.from(`${deep}{"a":"b${deep}"}${deep}`);
    const end = bytes.length - 100;
    expect(prescan(bytes, 100, end)).toBeUndefined();
    // A string that does not end is no longer than its part.
    expect(prescan(bytes, 100, end - 2)).toBeUndefined();
    expect(prescan(bytes, 0, end)).toBeDefined();
  });
});

describe("a frame's bounds", () => {
  /** A frame that nests so deep, its own object included. */
  const nested = (depth: number) =>
    rawFrame(`{"type":"x","payload":{"a":${"[".repeat(depth - 2)}${"]".repeat(depth - 2)}}}`);

  test("depth 64 is taken, 65 is refused", () => {
    expect(refusal(nested(limits.jsonDepth))).toBeUndefined();
    expect(refusal(nested(limits.jsonDepth + 1))).toBe("invalid_frame");
  });

  test("a million unclosed brackets are refused before they are parsed", () => {
    expect(refusal(rawFrame("[".repeat(1_000_000)))).toBe("invalid_frame");
  });

  test("no frame is too short for the bounds to be looked at", () => {
    // The shortest JSON of each depth: whatever is too deep is refused, not only what is long.
    for (let depth = 1; depth < 100; depth++) {
      const json = `{"type":"x","payload":{"a":${"[".repeat(depth)}${"]".repeat(depth)}}}`;
      expect(refusal(rawFrame(json)) === undefined).toBe(depth + 2 <= limits.jsonDepth);
    }
  });

  test("100,000 structural characters are taken, one more is refused", () => {
    const json = (commas: number) => `{"type":"x","payload":{"a":[0${",0".repeat(commas)}]}}`;
    const most = limits.jsonTokens - count(json(0)).tokens;
    expect(refusal(rawFrame(json(most)))).toBeUndefined();
    expect(refusal(rawFrame(json(most + 1)))).toBe("invalid_frame");
  });

  test("structure inside strings is not counted", () => {
    const text = '{[,:"\\'.repeat(50_000);
    expect(refusal(rawFrame(JSON.stringify({ type: "x", payload: { text } })))).toBeUndefined();
  });
});
