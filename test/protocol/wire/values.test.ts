import { describe, expect, it } from "vitest";
import { isObject, isUint32 } from "../../../protocol/wire/values.ts";

describe("a value of JSON", () => {
  it("is an object if it has keys, not if it is null, a list, or a text", () => {
    expect([{}, { a: 1 }].every(isObject)).toBe(true);
    expect([null, undefined, [], "x", 7, true].some(isObject)).toBe(false);
  });

  it("is a uint32 if it is a whole number from 0 to 2^32-1", () => {
    expect([0, 1, 0xffffffff].every(isUint32)).toBe(true);
    expect([-1, 0x100000000, 1.5, NaN, Infinity, "1", null, undefined].some(isUint32)).toBe(false);
  });
});
