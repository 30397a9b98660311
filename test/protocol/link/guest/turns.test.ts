import { describe, expect, it } from "vitest";
import { readHistory, readTools } from "../../../../protocol/link/guest/turns.ts";
import { limits } from "../../../../protocol/wire/limits.ts";

const turn = { role: "user", content: "hi" };
const tool = { type: "function", function: { name: "look_up", parameters: {} } };

describe("the history of a message", () => {
  it("is empty if it is absent or null", () => {
    expect(readHistory(undefined)).toEqual([]);
    expect(readHistory(null)).toEqual([]);
  });

  it("keeps its turns as they are, of every role of a chat, with text or without", () => {
    const turns = ["system", "developer", "user", "assistant", "tool"].map((role) => ({
      role,
      content: "x",
    }));
    expect(readHistory(turns)).toEqual(turns);
    const silent = [{ role: "assistant", content: null }, { role: "assistant" }];
    expect(readHistory(silent)).toEqual(silent);
  });

  it.each([["text"], [{}], [7], [[turn, "text"]], [[null]], [[[]]]])(
    "%j is not a list of objects",
    (value) => {
      expect(readHistory(value)).toBe("history is not a list of objects");
    },
  );

  it("has at most as many turns as the limit says", () => {
    const most = Array.from({ length: limits.historyTurns }, () => turn);
    expect(readHistory(most)).toHaveLength(limits.historyTurns);
    expect(readHistory([...most, turn])).toBe("history has more than 1000 turns");
  });

  it.each([[{ role: "nobody", content: "x" }], [{ content: "x" }], [{ role: 1, content: "x" }]])(
    "%j has a role that no chat knows",
    (wrong) => {
      expect(readHistory([turn, wrong])).toBe("a turn of the history has a role that no chat knows");
    },
  );

  it.each([[[{ type: "text", text: "x" }]], [7], [{}], [false]])(
    "content %j is refused: parts may name files that the model's server would fetch",
    (content) => {
      expect(readHistory([{ role: "user", content }])).toBe(
        "a turn of the history has content that is not text",
      );
    },
  );
});

describe("the tools of a message", () => {
  it("are none if they are absent or null", () => {
    expect(readTools(undefined)).toEqual([]);
    expect(readTools(null)).toEqual([]);
  });

  it("are read with their names and as they were described", () => {
    const other = { ...tool, function: { name: "A-z_09" }, strict: true };
    expect(readTools([tool, other])).toEqual([
      { name: "look_up", described: tool },
      { name: "A-z_09", described: other },
    ]);
  });

  it.each([["text"], [{}], [[tool, 1]], [[null]]])("%j is not a list of objects", (value) => {
    expect(readTools(value)).toBe("tools is not a list of objects");
  });

  it("are at most as many as the limit says", () => {
    const most = Array.from({ length: limits.clientTools }, () => tool);
    expect(readTools(most)).toHaveLength(limits.clientTools);
    expect(readTools([...most, tool])).toBe("there are more than 128 tools");
  });

  it.each([
    [{ ...tool, type: "retrieval" }],
    [{ function: tool.function }],
    [{ type: "function" }],
    [{ type: "function", function: "look_up" }],
    [{ type: "function", function: {} }],
    [{ type: "function", function: { name: 7 } }],
    [{ type: "function", function: { name: "" } }],
    [{ type: "function", function: { name: "look up" } }],
    [{ type: "function", function: { name: "x".repeat(65) } }],
  ])("%j is not a function with a name", (wrong) => {
    expect(readTools([tool, wrong])).toBe(
      "a tool is not a function with a name of 1 to 64 of A-Z a-z 0-9 _ -",
    );
  });
});
