import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitFences } from "../../../web/src/chat/fences.ts";

describe("an answer's code", () => {
  it("is what stands between two fences, with the lines of the fences", () => {
    expect(splitFences("see\n```ts\nlet a;\n```\nend")).toEqual({
      stretches: [
        { code: false, text: "see\n" },
        { code: true, text: "```ts\nlet a;\n```\n" },
        { code: false, text: "end" },
      ],
      open: "",
    });
  });

  it("goes on in the next part if its fence is still open", () => {
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
