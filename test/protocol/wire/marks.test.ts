import { describe, expect, it } from "vitest";
import { firstMark, nextMark } from "../../../protocol/wire/marks.ts";

describe("marks", () => {
  it("differ from the first event on that differs, and in every one after it", () => {
    const text = (n: number, i: number) =>
      i === 29 ? `piece ${n}` : `piece of text number ${i}`.repeat(i % 7);
    const marksOf = (n: number) => {
      let mark = firstMark("life");
      return Array.from({ length: 60 }, (_, i) => (mark = nextMark(mark, text(n, i))));
    };
    const [one, other] = [marksOf(1), marksOf(2)];
    expect(one.slice(0, 29)).toEqual(other.slice(0, 29));
    for (let i = 29; i < 60; i++) expect(one[i]).not.toBe(other[i]);
  });

  it("differ if one text was cut at another place, or holds no character", () => {
    const first = firstMark("life");
    const after = (...texts: string[]) => texts.reduce(nextMark, first);
    expect(after("ab", "c")).not.toBe(after("a", "bc"));
    expect(after("")).not.toBe(first);
    expect(after("", "")).not.toBe(after(""));
    expect(after("0".repeat(100))).not.toBe(after("0".repeat(101)));
  });

  it("hardly ever meet", () => {
    const marks = new Set(Array.from({ length: 20_000 }, (_, n) => nextMark(1, `token ${n}`)));
    // Of 20,000 numbers of 29 bits, 0.4 pairs are expected to be equal.
    expect(marks.size).toBeGreaterThan(19_990);
  });
});
