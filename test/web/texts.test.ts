import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitFences } from "../../web/src/chat/fences.ts";
import { diffLines, foldSame } from "../../web/src/config/diff.ts";
import { checkJson } from "../../web/src/config/json-check.ts";
import { visible } from "../../web/src/visible.ts";

const lines = fc
  .array(fc.constantFrom("a", "b", "c", "{", "}"), { maxLength: 40 })
  .map((all) => all.join("\n"));

function parses(text: string): boolean {
  const isKept = (_key: string, value: unknown) => {
    if (typeof value === "number" && !Number.isFinite(value)) throw new Error("not kept");
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new Error("not kept");
    return value;
  };
  try {
    JSON.parse(text, isKept);
    return true;
  } catch {
    return false;
  }
}

describe("a comparison of two texts", () => {
  it("has exactly the old text in its same and removed lines, and the new one in its same and added", () => {
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const diff = diffLines(before, after);
        const side = (kind: "removed" | "added") =>
          diff.filter((line) => line.kind === kind || line.kind === "same").map((line) => line.text);
        expect(side("removed").join("\n")).toBe(before);
        expect(side("added").join("\n")).toBe(after);
      }),
    );
  });

  it("is as short as can be", () => {
    const diff = diffLines("a\nb\nc\na\nb\nb\na", "c\nb\na\nb\na\nc");
    expect(diff.filter(({ kind }) => kind !== "same")).toHaveLength(5);
  });

  it("says removed before added where a line was changed", () => {
    expect(diffLines("a\nold\nz", "a\nnew\nz").map(({ kind }) => kind)).toEqual([
      "same",
      "removed",
      "added",
      "same",
    ]);
  });

  it("stays quick where nothing is the same", () => {
    const many = (word: string) => Array.from({ length: 20_000 }, (_, n) => `${word}${n}`).join("\n");
    const started = performance.now();
    expect(diffLines(many("a"), many("b"))).toHaveLength(40_000);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it("leaves out what is the same far from any difference", () => {
    const text = Array.from({ length: 30 }, (_, n) => `line ${n}`).join("\n");
    const folded = foldSame(diffLines(text, text.replace("line 15", "changed")), 2);
    expect(folded.filter((line) => line === undefined)).toHaveLength(2);
    expect(folded.filter((line) => line !== undefined)).toHaveLength(6);
  });
});

describe("a JSON text that is checked", () => {
  it("is read where it is an object", () => {
    expect(checkJson(`{"a": [1, {"b": null}]}`)).toEqual({ ok: true, value: { a: [1, { b: null }] } });
  });

  it.each([
    [`{\n  "a": 1,\n}`, 3, 1],
    [`{"a" 1}`, 1, 6],
    [`{\n  "a": [1 2]\n}`, 2, 11],
    [`{'a': 1}`, 1, 2],
    [`{"a": nul}`, 1, 7],
    [`{"a": 1}\n}`, 2, 1],
    [`{"a": "x\ny"}`, 1, 7],
    [`{\n"a": 1 // why\n}`, 2, 8],
    [`{"a": 01}`, 1, 7],
    [`{"a":`, 1, 6],
    [``, 1, 1],
    [`[1]`, 1, 1],
    [`{\n "a": [1, 1e400]}`, 2, 11],
    [`{"a": "1e400", "id":  12345678901234567890 }`, 1, 23],
  ])("tells line and column of what is wrong: %j", (text, line, column) => {
    expect(checkJson(text)).toMatchObject({ ok: false, line, column });
  });

  it("is refused exactly where JSON.parse refuses it or would not keep a number, and with a place inside it", () => {
    const marks = '{}[]:,"\\ \n01.-e+tnulrfas'.split("");
    const near = fc.string({ unit: fc.constantFrom(...marks), maxLength: 25 });
    fc.assert(
      fc.property(near, (inside) => {
        const text = `{"a":${inside}}`;
        const checked = checkJson(text);
        expect(checked.ok).toBe(parses(text));
        const placed = checked.ok || checked.line <= text.split("\n").length;
        const said = checked.ok || /expected|text|value|double|comments/.test(checked.message);
        expect([placed, said]).toEqual([true, true]);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("an answer's code", () => {
  it("is what stands between fences, their lines included", () => {
    expect(splitFences("see\n```ts\nlet a;\n```\nend")).toEqual({
      stretches: [
        { code: false, text: "see\n" },
        { code: true, text: "```ts\nlet a;\n```\n" },
        { code: false, text: "end" },
      ],
      open: "",
    });
  });

  it("goes on in the next part where its fence is open", () => {
    const { open } = splitFences("````\na\n");
    expect(open).toBe("````");
    const { stretches } = splitFences("```\nb\n````\nend", open);
    expect(stretches.map(({ code }) => code)).toEqual([true, false]);
  });

  it("loses nothing of the text, wherever it is cut", () => {
    const text = fc.string({ unit: fc.constantFrom("`", "```", "\n", "a", " ", "~"), maxLength: 60 });
    fc.assert(
      fc.property(text, fc.constantFrom("", "```"), (all, open) => {
        const { stretches } = splitFences(all, open);
        expect(stretches.map((stretch) => stretch.text).join("")).toBe(all);
      }),
    );
  });
});

describe("a name of others", () => {
  it("shows what would turn or hide it", () => {
    expect(visible("safe\u202Egnp.exe\u200B\u0007")).toBe("safe\\u202egnp.exe\\u200b\\u0007");
    expect(visible("ein Name, ein 名前\tund\nmehr")).toBe("ein Name, ein 名前\tund\nmehr");
  });
});
