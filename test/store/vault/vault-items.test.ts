import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { redact } from "../../../src/core/config/redact.ts";
import { createVault, REDACTED, VaultError } from "../../../src/store/vault/vault.ts";

const agent = { tenant: "acme", id: "a1" };
const vault = createVault([Buffer.alloc(32, 1)]);

/** What the guest gets if `pushed` follows `before`; the error's message if it is refused. */
function push(before: JsonObject, pushed: JsonObject): JsonObject | string {
  try {
    return vault.open(agent, vault.seal(agent, pushed, vault.seal(agent, before, {})));
  } catch (error) {
    if (error instanceof VaultError && error.code === "no_secret") return error.message;
    throw error;
  }
}

const alpha = { name: "alpha", key: "secret:A" };
const bravo = { name: "bravo", key: "secret:B" };
/** As it is read. */
const seen = (item: JsonObject): JsonObject => redact(item);

describe("In a list that changed an entry keeps its secret", () => {
  const open = (item: { name: string; key: string }) => ({ ...item, key: item.key.replace("secret:", "") });

  test.each<[string, JsonValue[], JsonValue[], JsonValue[]]>([
    ["when one before it is removed", [alpha, bravo], [seen(bravo)], [open(bravo)]],
    ["when the order changed", [alpha, bravo], [seen(bravo), seen(alpha)], [open(bravo), open(alpha)]],
    ["when one is put before it", [alpha], [{ name: "new" }, seen(alpha)], [{ name: "new" }, open(alpha)]],
    [
      "when it changed and its name did not",
      [alpha, bravo],
      [{ ...seen(bravo), url: "http://b" }],
      [{ ...open(bravo), url: "http://b" }],
    ],
    [
      "when its number did not change",
      [
        { id: 1, key: "secret:A" },
        { id: 2, key: "secret:B" },
      ],
      [{ id: 2, on: true, key: REDACTED }],
      [{ id: 2, on: true, key: "B" }],
    ],
    [
      "when it has no name, and all but its secrets is as before",
      [
        { host: "a", key: "secret:A" },
        { host: "b", key: "secret:B", more: "secret:C" },
      ],
      [{ key: REDACTED, more: "secret:D", host: "b" }],
      [{ host: "b", key: "B", more: "D" }],
    ],
    [
      "in lists of lists",
      [
        ["a", "secret:A"],
        ["b", "secret:B"],
      ],
      [["b", REDACTED], ["c"]],
      [["b", "B"], ["c"]],
    ],
    [
      "in lists of named lists",
      [
        { name: "x", users: [alpha, bravo] },
        { name: "y", users: [{ ...alpha, key: "secret:C" }] },
      ],
      [
        { name: "y", users: [{ name: "new" }, seen(alpha)] },
        { name: "x", users: [seen(bravo)] },
      ],
      [
        { name: "y", users: [{ name: "new" }, { name: "alpha", key: "C" }] },
        { name: "x", users: [open(bravo)] },
      ],
    ],
  ])("%s", (_when, before, list, wanted) => {
    expect(push({ list: before }, { list })).toEqual({ list: wanted });
  });
});

describe("In a list that changed a placeholder is refused, with its place and what to do,", () => {
  test.each<[string, string, JsonValue[], JsonValue[]]>([
    ["under another name", "/list/0/key", [alpha, bravo], [{ ...seen(alpha), name: "carol" }]],
    ["if a name was taken away", "/list/0/key", [alpha], [{ key: REDACTED }]],
    ["if a name was given", "/list/0/key", [{ key: "secret:A" }], [seen(alpha)]],
    [
      "if the id stayed and the name did not",
      "/list/0/key",
      [{ id: 1, ...alpha }],
      [{ id: 1, ...seen(bravo) }],
    ],
    [
      "if two pushed entries have one name",
      "/list/0/key",
      [alpha],
      [
        { ...seen(alpha), url: "a" },
        { ...seen(alpha), url: "b" },
      ],
    ],
    [
      "if two stored entries have one name",
      "/list/0/key",
      [
        { ...alpha, url: "a" },
        { ...alpha, url: "b", key: "secret:B" },
      ],
      [{ ...seen(alpha), url: "c" }],
    ],
    [
      "of equal entries without a name",
      "/list/0/key",
      [{ key: "secret:A" }, { key: "secret:B" }],
      [{ key: REDACTED }],
    ],
    [
      "of an entry without a name that changed",
      "/list/0/key",
      [{ host: "a", key: "secret:A" }],
      [{ host: "b", key: REDACTED }],
    ],
    ["under another key of an entry", "/list/0/token", [alpha], [{ name: "alpha", token: REDACTED }]],
    ["that is an entry itself, of which one is gone", "/list/0", ["secret:A", "secret:B"], [REDACTED]],
    ["that is an entry itself, beside a new one", "/list/0", ["secret:A"], [REDACTED, "secret:B"]],
    [
      "that is an entry itself, behind another one",
      "/list/1",
      ["--user", "secret:A"],
      ["--password", REDACTED],
    ],
    [
      "if the secret is its name",
      "/list/0/name",
      [{ name: "secret:A" }, { name: "secret:B" }],
      [{ name: REDACTED }],
    ],
    [
      "deep in an entry that nothing tells",
      "/list/0/a/0/key",
      [{ a: [alpha] }, { a: [bravo] }],
      [{ a: [{ ...seen(alpha), x: 1 }] }],
    ],
  ])("%s", (_where, place, before, list) => {
    const text = push({ list: before }, { list });
    expect(text).toContain(`"${place}"`);
    expect(text).toMatch(/write "secret:" and its text/);
  });
});

test("texts in a list keep their secrets if the list is pushed back as it was read", () => {
  const before = { list: ["secret:A", "x", "secret:B"], more: [["secret:C"], ["secret:D"]] };
  expect(push(before, { ...redact(before), changed: 1 })).toEqual({
    list: ["A", "x", "B"],
    more: [["C"], ["D"]],
    changed: 1,
  });
});

test("a configuration of many entries, deep and wide, is paired at once", () => {
  const list = Array.from({ length: 900 }, (_, n) => ({
    name: `n${n}`,
    key: `secret:${n}`,
    pad: [[[["x"]]]],
  }));
  const reversed = list.toReversed().map(seen);
  const wide = { wide: [Array.from({ length: 100_000 }, () => [] as JsonValue[])] };
  const began = process.cpuUsage();
  const opened = push({ list, ...wide }, { list: reversed, wide: [...wide.wide, 1] });
  const { user, system } = process.cpuUsage(began);
  expect((opened as { list: { key: string }[] }).list.map(({ key }) => key)).toEqual(
    list.map((_, n) => String(899 - n)),
  );
  expect((user + system) / 1_000).toBeLessThan(2_000);
});

/** Entries of a list; their secrets say what is around them, by which they can be told to be in their own place. */
const plain = fc.record(
  {
    id: fc.integer({ min: 0, max: 2 }),
    name: fc.constantFrom("alpha", "bravo", ""),
    url: fc.constantFrom("u", "v"),
  },
  { requiredKeys: [] },
);
type Entry = { id?: number; name?: string; url?: string };

const edit = fc.oneof(
  fc.record({ kind: fc.constant("keep" as const), at: fc.nat(5) }),
  fc.record({ kind: fc.constant("change" as const), at: fc.nat(5), to: plain }),
  fc.record({ kind: fc.constant("new" as const), to: plain }),
);

describe("Whatever is done to a list,", () => {
  /** What tells entries apart; with none, all of them. */
  const naming = ({ id, name, url }: Entry): string =>
    id === undefined && !name
      ? JSON.stringify({ name, url })
      : JSON.stringify({ id, name: name || undefined });

  test("no secret comes to stand in an entry with another id or name, or with another content if it has neither", () => {
    fc.assert(
      fc.property(
        fc.array(plain, { maxLength: 5 }),
        fc.array(edit, { maxLength: 6 }),
        fc.boolean(),
        (entries, edits, nested) => {
          const wrap = (list: JsonValue[]): JsonObject =>
            nested ? { out: [{ name: "x", list }, { list: [] }] } : { list };
          const unwrap = (config: JsonObject) =>
            (nested ? (config["out"] as JsonObject[])[0]?.["list"] : config["list"]) as (Entry & {
              key?: string;
            })[];
          const before = entries.map((entry, n) => ({ ...entry, key: `secret:${n}` }));
          const pushed = edits.flatMap((step): JsonObject[] => {
            if (step.kind === "new") return [{ ...step.to }];
            const from = entries[step.at];
            if (from === undefined) return [];
            return [{ ...(step.kind === "keep" ? from : step.to), key: REDACTED }];
          });
          const opened = push(wrap(before), wrap(pushed));
          if (typeof opened === "string") return;
          const owners = unwrap(opened).flatMap(({ key, ...entry }) =>
            key === undefined ? [] : [{ key, entry }],
          );
          for (const { key, entry } of owners) {
            const origin = entries[Number(key)];
            expect(origin && naming(origin)).toBe(naming(entry));
          }
          // Nor in two entries.
          expect(new Set(owners.map(({ key }) => key)).size).toBe(owners.length);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("entries with names of their own keep their secrets in any order", () => {
    const names = fc.uniqueArray(
      fc.string({ minLength: 1, unit: "grapheme" }).filter((name) => !name.startsWith("secret:")),
      { maxLength: 8 },
    );
    const shuffled = names.chain((list) =>
      fc.record({ list: fc.constant(list), kept: fc.shuffledSubarray(list) }),
    );
    fc.assert(
      fc.property(shuffled, ({ list, kept }) => {
        const before = { list: list.map((name) => ({ name, key: `secret:of ${name}` })) };
        const opened = push(before, { list: kept.map((name) => ({ name, key: REDACTED })) });
        expect(opened).toEqual({ list: kept.map((name) => ({ name, key: `of ${name}` })) });
      }),
    );
  });
});
