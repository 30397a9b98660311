import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { API_KEY_PATTERN, makeApiKey, parseApiKey } from "../../src/auth/api-key.ts";

describe("an API key", () => {
  it("has the form that scanners look for, and is known again by id and digest", () => {
    for (let round = 0; round < 50; round++) {
      const { id, text, sha256 } = makeApiKey();
      expect(text).toMatch(API_KEY_PATTERN);
      expect(text.length).toBe(66);
      expect(parseApiKey(text)).toEqual({ id, sha256 });
      expect(sha256).toBe(createHash("sha256").update(text).digest("hex"));
    }
  });

  it("is another one every time", () => {
    const keys = Array.from({ length: 1_000 }, makeApiKey);
    expect(new Set(keys.map(({ id }) => id)).size).toBe(1_000);
    expect(new Set(keys.map(({ text }) => text.slice(17))).size).toBe(1_000);
  });

  it("is told from a mistyped one at every place", () => {
    const { text } = makeApiKey();
    for (let at = 4; at < text.length; at++) {
      const other = text[at] === "x" ? "y" : "x";
      expect(parseApiKey(text.slice(0, at) + other + text.slice(at + 1)), `typo at ${at}`).toBeUndefined();
    }
  });

  it("is told from a truncated, a longer and a reordered one", () => {
    const { text } = makeApiKey();
    for (let end = 0; end < text.length; end++) expect(parseApiKey(text.slice(0, end))).toBeUndefined();
    expect(parseApiKey(`${text}0`)).toBeUndefined();
    expect(parseApiKey(` ${text}`)).toBeUndefined();
    expect(parseApiKey(`${text}\n`)).toBeUndefined();
    // Two neighbours that differ, exchanged.
    const swap = Array.from({ length: 40 }, (_, index) => index + 17).find((at) => text[at] !== text[at + 1]);
    if (swap === undefined) throw new Error("a key of one character only");
    const swapped = text.slice(0, swap) + text[swap + 1] + text[swap] + text.slice(swap + 2);
    expect(parseApiKey(swapped)).toBeUndefined();
  });

  it("has the checksum that other programs compute", () => {
    // By Python: zlib.crc32 of what stands before it, in base 62.
    expect(parseApiKey(`vlr_${"0".repeat(12)}_${"0".repeat(43)}0V0FPC`)?.id).toBe("000000000000");
  });
});
