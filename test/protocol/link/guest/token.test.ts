import { describe, expect, it } from "vitest";
import { isToken } from "../../../../protocol/link/guest/token.ts";

describe("a token", () => {
  it("is the same text, and no other", () => {
    expect(isToken("secret", "secret")).toBe(true);
    for (const wrong of ["", "secre", "secret ", "Secret", "tecres"])
      expect(isToken(wrong, "secret")).toBe(false);
  });
});
