import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitText } from "../../../protocol/wire/split-text.ts";

describe("a text that is split", () => {
  const text = fc
    .array(fc.constantFrom("a", '"', "\n", "\u0001", "ä", "語", "😀", "xyz"), { maxLength: 200 })
    .map((parts) => parts.join(""));

  it("loses nothing, keeps every piece within its bytes and parts no surrogate pair", () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 16, max: 400 }), (whole, bytes) => {
        const pieces = splitText(whole, bytes);
        expect(pieces.join("")).toBe(whole);
        for (const piece of pieces) {
          expect(Buffer.byteLength(JSON.stringify(piece))).toBeLessThanOrEqual(bytes);
          expect(piece.isWellFormed()).toBe(true);
        }
      }),
    );
  });

  it("makes pieces as long as they may be, or nearly", () => {
    const pieces = splitText("a".repeat(1_000_000), 64_000);
    expect(pieces.length).toBeLessThan(35);
  });
});
