import { expect, it } from "vitest";
import { errorText } from "../../../protocol/rules/error-text.ts";

it("the words of an error are its message, and of anything else its text", () => {
  expect(errorText(new TypeError("no"))).toBe("no");
  expect(errorText("no")).toBe("no");
  expect(errorText(7)).toBe("7");
  expect(errorText(undefined)).toBe("undefined");
});

it("an error of several attempts that has no words of its own has theirs", () => {
  const inner = new AggregateError(["b", new Error("c")], "");
  expect(errorText(new AggregateError([new Error("a"), inner], ""))).toBe("a; b; c");
  expect(errorText(new AggregateError([new Error("a")], "own words"))).toBe("own words");
});
