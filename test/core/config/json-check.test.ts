import { describe, expect, it } from "vitest";
import { findJsonFault, parseExactly } from "../../../src/core/config/json-check.ts";

const faultOf = (text: string, wholeNumbers = true) => parseExactly(text, { wholeNumbers }).fault?.pointer;

describe("what can't be kept as it was sent", () => {
  it.each([
    [String.raw`{"content":"cut \ud83d"}`, "/content"],
    [String.raw`{"a":[1,{"b/c":"\uDC00\uD800"}]}`, "/a/1/b~1c"],
    [String.raw`{"k\ud800":1}`, "/k\ufffd"],
    ['{"a":{"b":1e400}}', "/a/b"],
    ['{"a":[-1E+999]}', "/a/0"],
    [`{"a":1${"0".repeat(400)}}`, "/a"],
    ['{"a":12345678901234567890}', "/a"],
    ['{"a":[-9007199254740993]}', "/a/0"],
    ['{"__proto__":{"x":9223372036854775807}}', "/__proto__/x"],
  ])("is found in %s", (text, pointer) => {
    expect(faultOf(text)).toBe(pointer);
  });

  it.each([
    String.raw`{"a":"\ud83d\ude00 whole","b":"\\ud83d"}`,
    '{"a":9007199254740992,"b":9007199254740991,"c":-9007199254740992,"d":12345678901234567168}',
    '{"a":1e308,"b":0.12345678901234567890,"c":1e21,"d":1e-400,"e":"12345678901234567890"}',
    '{"a":null,"b":[],"c":{}}',
  ])("is nothing in %s", (text) => {
    expect(faultOf(text)).toBeUndefined();
    expect(parseExactly(text, { wholeNumbers: true }).value).toEqual(JSON.parse(text));
  });

  it("are no whole numbers if those may be rounded", () => {
    expect(faultOf('{"maximum":9223372036854775807}', false)).toBeUndefined();
    expect(faultOf('{"maximum":1e400}', false)).toBe("/maximum");
  });

  it("are whole numbers beyond 2^53 if only the number is left of them", () => {
    expect(findJsonFault({ id: Number("12345678901234567890") }, "", { wholeNumbers: true })).toMatchObject({
      pointer: "/id",
    });
    expect(findJsonFault({ id: 2 ** 53 - 1, x: 0.5 }, "", { wholeNumbers: true })).toBeUndefined();
  });
});
