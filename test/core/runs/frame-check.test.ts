import { expect, it } from "vitest";
import { limits } from "../../../protocol/wire/limits.ts";
import { checkFrame } from "../../../src/core/runs/frame-check.ts";

function nested(depth: number): object {
  let value: object = {};
  for (let i = 1; i < depth; i++) value = { a: value };
  return value;
}

it("a payload that a guest takes passes", () => {
  expect(() => checkFrame("message", { content: "x" })).not.toThrow();
  expect(() => checkFrame("message", nested(limits.jsonDepth - 1))).not.toThrow();
});

it("a payload that nests too deep, or has too many tokens, is an invalid argument", () => {
  const invalid = expect.objectContaining({ reason: "INVALID_ARGUMENT" });
  expect(() => checkFrame("message", nested(limits.jsonDepth))).toThrow(invalid);
  expect(() => checkFrame("message", { a: Array.from({ length: limits.jsonTokens }, () => 0) })).toThrow(
    invalid,
  );
});

it("a payload that fits into no frame is too large", () => {
  expect(() => checkFrame("message", { content: "x".repeat(limits.frameBytes) })).toThrow(
    expect.objectContaining({ reason: "REQUEST_TOO_LARGE" }),
  );
});
