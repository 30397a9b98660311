import { describe, expect, it } from "vitest";
import { visible } from "../../web/src/visible.ts";

describe("a name that others chose", () => {
  it("shows the characters that would turn its direction or hide a part of it", () => {
    expect(visible("safe\u202Egnp.exe\u200B\u0007")).toBe("safe\\u202egnp.exe\\u200b\\u0007");
    expect(visible("ein Name, ein 名前\tund\nmehr")).toBe("ein Name, ein 名前\tund\nmehr");
  });
});
