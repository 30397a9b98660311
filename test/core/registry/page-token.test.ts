import { expect, it } from "vitest";
import { decodePageToken, encodePageToken } from "../../../src/core/registry/page-token.ts";
import { isAgentId } from "../../../protocol/mod.ts";

it("gives back the position that a token was made of", () => {
  expect(decodePageToken("agents []", encodePageToken("agents []", "a.b-c"), isAgentId)).toBe("a.b-c");
  expect(decodePageToken("agents []", "", isAgentId)).toBe("");
});

it.each([
  ["of another list", encodePageToken("agents [1]", "a")],
  ["whose position does not look like one", encodePageToken("agents []", "a b\0")],
  ["without a position", encodePageToken("agents []", "")],
  ["that is made up", "bm90IGEgdG9rZW4"],
  ["that is cut off", encodePageToken("agents []", "abc").slice(0, -2)],
  ["that is no base64", "%%%"],
])("refuses a token %s", (_what, token) => {
  expect(() => decodePageToken("agents []", token, isAgentId)).toThrow("page_token belongs to another list");
});
