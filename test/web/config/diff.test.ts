import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diffLines, foldSame } from "../../../web/src/config/diff.ts";

const lines = fc
  .array(fc.constantFrom("a", "b", "c", "{", "}"), { maxLength: 40 })
  .map((all) => all.join("\n"));

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

  it("is the shortest one", () => {
    const diff = diffLines("a\nb\nc\na\nb\nb\na", "c\nb\na\nb\na\nc");
    expect(diff.filter(({ kind }) => kind !== "same")).toHaveLength(5);
  });

  it("says removed before added for a line that was changed", () => {
    expect(diffLines("a\nold\nz", "a\nnew\nz").map(({ kind }) => kind)).toEqual([
      "same",
      "removed",
      "added",
      "same",
    ]);
  });

  it("stays quick for two long texts with no line in common", () => {
    const many = (word: string) => Array.from({ length: 20_000 }, (_, n) => `${word}${n}`).join("\n");
    const started = performance.now();
    expect(diffLines(many("a"), many("b"))).toHaveLength(40_000);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it("leaves out lines that are the same and far from any difference", () => {
    const text = Array.from({ length: 30 }, (_, n) => `line ${n}`).join("\n");
    const folded = foldSame(diffLines(text, text.replace("line 15", "changed")), 2);
    expect(folded.filter((line) => line === undefined)).toHaveLength(2);
    expect(folded.filter((line) => line !== undefined)).toHaveLength(6);
  });
});
