import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changedPaths } from "../../../src/core/config/changed-paths.ts";
import type { ToolPolicyInput } from "../../../src/core/inputs.ts";
import { canonicalJson } from "../../../protocol/wire/digest.ts";

const all: ToolPolicyInput = { mode: "all", tools: [] };

describe("what changed between two configurations", () => {
  const value = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<JsonValue>;
  const config = fc.dictionary(
    fc.constantFrom("a", "b/c", "~", "", "__proto__", "list"),
    value,
  ) as fc.Arbitrary<JsonObject>;

  it("is named by pointers to what differs, and by none if nothing does", () => {
    fc.assert(
      fc.property(config, config, (before, after) => {
        const paths = changedPaths({ config: before, policy: all }, { config: after, policy: all });
        expect(paths.length === 0).toBe(canonicalJson(before) === canonicalJson(after));
        for (const path of paths) {
          expect(path.startsWith("/config")).toBe(true);
          const [was, is] = [at({ config: before }, path), at({ config: after }, path)];
          expect(
            was === undefined
              ? is !== undefined
              : is === undefined || canonicalJson(was) !== canonicalJson(is),
          ).toBe(true);
        }
        expect(new Set(paths).size).toBe(paths.length);
      }),
    );
  });

  it("is bounded in number and length", () => {
    const many = (value: number) =>
      Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}`, value]));
    expect(changedPaths({ config: many(1), policy: all }, { config: many(2), policy: all })).toHaveLength(
      100,
    );
    const long = (value: number) => ({ outer: { ["x".repeat(10_000)]: value, ["y".repeat(10_000)]: value } });
    expect(changedPaths({ config: long(1), policy: all }, { config: long(2), policy: all })).toEqual([
      "/config/outer",
    ]);
  });

  it("does not see in which order the tools stand", () => {
    const listed = (...tools: string[]) => ({ config: {}, policy: { mode: "listed" as const, tools } });
    expect(changedPaths(listed("a", "b"), listed("b", "a"))).toEqual([]);
    expect(changedPaths(listed("a", "b"), listed("a"))).toEqual(["/tool_policy/tools"]);
  });
});

/** What a JSON pointer points to; undefined if there is nothing. */
function at(value: JsonValue, pointer: string): JsonValue | undefined {
  let found: JsonValue | undefined = value;
  for (const part of pointer.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as { [key: string]: JsonValue })[key];
  }
  return found;
}
