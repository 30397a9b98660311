import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { textJson, withMark } from "../../../agent/runs/events.ts";

describe("textJson", () => {
  it("is what JSON.stringify would write", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(), (content, sequence) => {
        const mark = sequence ^ 5;
        const json = JSON.stringify({ content, done: false, sequence, mark });
        expect(textJson(content, sequence, mark)).toBe(json);
        expect(withMark(JSON.stringify({ content, done: false, sequence }), mark)).toBe(json);
      }),
    );
  });
});
