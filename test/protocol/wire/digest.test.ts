import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, configDigest, contextDigest, sha256 } from "../../../protocol/wire/digest.ts";

/** The same value with the keys of every object in reverse order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, item]) => [key, reversed(item)]),
  );
}

describe("canonicalJson", () => {
  test("means the same value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toStrictEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test("does not depend on the order of keys", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(reversed(value))).toBe(canonicalJson(value));
      }),
    );
  });

  test("leaves out what JSON leaves out", () => {
    expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}');
  });
});

describe("configDigest", () => {
  const config = { model: "m", nested: { a: 1, b: [1, 2] } };
  const digest = configDigest(config, { mode: "listed", tools: ["a", "b"] });

  test("does not depend on the order of keys or tools", () => {
    expect(configDigest(reversed(config), { mode: "listed", tools: ["b", "a"] })).toBe(digest);
  });

  test("leaves the caller's tools in their order", () => {
    const tools = ["b", "a"];
    configDigest({}, { mode: "listed", tools });
    expect(tools).toStrictEqual(["b", "a"]);
  });

  test.each([
    ["a value", { ...config, model: "n" }, "listed", ["a", "b"]],
    ["the order of a list", { ...config, nested: { a: 1, b: [2, 1] } }, "listed", ["a", "b"]],
    ["the mode", config, "all", ["a", "b"]],
    ["the tools", config, "listed", ["a"]],
    ["one tool whose name holds two", config, "listed", ['a","b']],
  ] as const)("depends on %s", (_, other, mode, tools) => {
    expect(configDigest(other, { mode, tools })).not.toBe(digest);
  });
});

describe("contextDigest", () => {
  test("is that of the canonical JSON of the entries, whatever their order", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string({ minLength: 1 })), (entries) => {
        const digest = sha256(canonicalJson(entries));
        expect(contextDigest(Object.entries(entries))).toBe(digest);
        expect(contextDigest(Object.entries(entries).toReversed())).toBe(digest);
      }),
    );
  });

  test("takes an empty text for no entry", () => {
    expect(contextDigest([["k", ""]])).toBe(contextDigest([]));
    expect(contextDigest([["k", "x"]])).not.toBe(contextDigest([]));
  });
});
