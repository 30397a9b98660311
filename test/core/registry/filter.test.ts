import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ValinorError } from "../../../src/core/errors.ts";
import { parseFilter } from "../../../src/core/registry/filter.ts";
import type { AgentCondition } from "../../../src/store/store.ts";

/** The conditions of a filter, or the error that it is refused with. */
function outcomeOf(text: string): { conditions?: AgentCondition[]; error?: ValinorError } {
  try {
    return { conditions: parseFilter(text) };
  } catch (error) {
    if (error instanceof ValinorError) return { error };
    throw error;
  }
}

/** The message of the error that a filter is refused with. */
function refusal(text: string): string {
  const { error } = outcomeOf(text);
  expect(error).toMatchObject({ reason: "INVALID_ARGUMENT" });
  return error?.message ?? "";
}

describe("a filter", () => {
  it.each<[string, AgentCondition[]]>([
    ["", []],
    ["  \t ", []],
    ["status = RUNNING", [{ field: "status", op: "eq", value: "RUNNING" }]],
    ["status!=FAILED", [{ field: "status", op: "ne", value: "FAILED" }]],
    ["id = team-a-*", [{ field: "id", op: "prefix", value: "team-a-" }]],
    ["id != team-a-*", [{ field: "id", op: "notPrefix", value: "team-a-" }]],
    ["id = *", [{ field: "id", op: "prefix", value: "" }]],
    ["vsock_cid = 3", [{ field: "vsockCid", op: "eq", value: 3 }]],
    ["vsock_cid != 4294967295", [{ field: "vsockCid", op: "ne", value: 4294967295 }]],
    ["address = tcp://127.0.0.1:*", [{ field: "address", op: "prefix", value: "tcp://127.0.0.1:" }]],
    [
      'address = "unix:///run/v.sock?port=1024"',
      [{ field: "address", op: "eq", value: "unix:///run/v.sock?port=1024" }],
    ],
    ['address = ""', [{ field: "address", op: "eq", value: "" }]],
    ['address = "tcp://[*"', [{ field: "address", op: "prefix", value: "tcp://[" }]],
    [String.raw`address = "a\*"`, [{ field: "address", op: "eq", value: "a*" }]],
    [String.raw`address = "a\\*"`, [{ field: "address", op: "prefix", value: "a\\" }]],
    [String.raw`address = "say \"hi\" AND go"`, [{ field: "address", op: "eq", value: 'say "hi" AND go' }]],
    ['id = "AND"', [{ field: "id", op: "eq", value: "AND" }]],
    [
      "status = RUNNING AND id=team-a-* AND vsock_cid != 0",
      [
        { field: "status", op: "eq", value: "RUNNING" },
        { field: "id", op: "prefix", value: "team-a-" },
        { field: "vsockCid", op: "ne", value: 0 },
      ],
    ],
  ])("%j is understood", (text, conditions) => {
    expect(parseFilter(text)).toEqual(conditions);
  });

  it.each([
    ["name = x", 'character 1: a field (id, status, vsock_cid, address) was expected, not "name"'],
    ["constructor = x", "character 1: a field"],
    ['"id" = x', "character 1: a field"],
    ["id", "character 3: = or != was expected, not the end"],
    ["id = ", "character 6: a value was expected, not the end"],
    ["id == x", 'character 5: a value was expected, not "="'],
    ["id > x", 'character 4: ">" must be in double quotes'],
    ["id = a b", 'character 8: AND or the end was expected, not "b"'],
    ["id = a OR id = b", 'character 8: AND or the end was expected, not "OR"'],
    ["id = a and id = b", "character 8: AND or the end"],
    ["id = a AND", "character 11: a field"],
    ["AND", "character 1: a field"],
    ["status = running", "character 10: a status (PROVISIONING, RUNNING, STOPPED, FAILED)"],
    ["status = RUN*", "character 10: a status"],
    ["vsock_cid = many", "character 13: a number of 32 bits"],
    ["vsock_cid = 4294967296", "character 13: a number of 32 bits"],
    ["vsock_cid = 1*", "character 13: a number of 32 bits"],
    ["id = a*b", "character 6: a * may only be at the end"],
    ['id = "a*b"', "character 6: a * may only be at the end"],
    ['id = "a', "character 6: a text in quotes ends"],
    [String.raw`id = "\n"`, "character 6: a text in quotes"],
    ["id = ü", 'character 6: "ü" must be in double quotes'],
  ])("%j is refused at the place where it is wrong", (text, message) => {
    expect(refusal(text)).toContain(`filter, ${message}`);
  });

  it("has at most 20 comparisons", () => {
    const of = (count: number) => Array.from({ length: count }, (_, i) => `id != a${i}`).join(" AND ");
    expect(parseFilter(of(20))).toHaveLength(20);
    expect(refusal(of(21))).toContain("at most 20 comparisons");
  });

  const text = fc.string({ unit: "grapheme", maxLength: 12 });
  const condition: fc.Arbitrary<AgentCondition> = fc.oneof(
    fc.record({
      field: fc.constantFrom("id" as const, "address" as const),
      op: fc.constantFrom("eq" as const, "ne" as const, "prefix" as const, "notPrefix" as const),
      value: text,
    }),
    fc.record({
      field: fc.constant("status" as const),
      op: fc.constantFrom("eq" as const, "ne" as const),
      value: fc.constantFrom("PROVISIONING", "RUNNING", "STOPPED", "FAILED"),
    }),
    fc.record({
      field: fc.constant("vsockCid" as const),
      op: fc.constantFrom("eq" as const, "ne" as const),
      value: fc.nat(),
    }),
  );

  it("says what was written, whatever the values", () => {
    fc.assert(
      fc.property(fc.array(condition, { maxLength: 20 }), (conditions) => {
        expect(parseFilter(conditions.map(written).join(" AND "))).toEqual(conditions);
      }),
    );
  });

  it("of any other text is refused as an invalid argument, and nothing else happens", () => {
    const pieces = fc.constantFrom(
      "id",
      "status",
      "=",
      "!=",
      "AND",
      '"',
      "\\",
      "*",
      " ",
      "RUNNING",
      "3",
      "(",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          fc.array(pieces).map((all) => all.join("")),
        ),
        (filter) => {
          const { conditions = [], error } = outcomeOf(filter);
          expect(error?.reason ?? "INVALID_ARGUMENT").toBe("INVALID_ARGUMENT");
          expect(conditions.length).toBeLessThanOrEqual(20);
        },
      ),
    );
  });
});

/** A condition as a client would write it. */
function written({ field, op, value }: AgentCondition): string {
  const name = field === "vsockCid" ? "vsock_cid" : field;
  const operator = op === "eq" || op === "prefix" ? "=" : "!=";
  if (typeof value === "number" || field === "status") return `${name} ${operator} ${value}`;
  const quoted = value.replaceAll(/[\\"*]/g, String.raw`\$&`);
  return `${name}${operator}"${quoted}${op === "prefix" || op === "notPrefix" ? "*" : ""}"`;
}
