import { describe, expect, it } from "vitest";
import { isAgentId, isName, isTenant, isToolName } from "../../../protocol/rules/names.ts";

describe.each([
  ["an agent", isAgentId],
  ["a tenant", isTenant],
])("the id of %s", (_, isId) => {
  it.each(["a", "7", "a.b_c-d", "A9", `a${"x".repeat(62)}`])("may be %s", (text) => {
    expect(isId(text)).toBe(true);
  });

  it.each(["", ".a", "-a", "_a", "a b", "a/b", "a:b", "ä", "a\n", `a${"x".repeat(63)}`])(
    "may not be %j",
    (text) => {
      expect(isId(text)).toBe(false);
    },
  );
});

describe("the name of a request, a conversation or a context entry", () => {
  it.each(["a", ".", ":", "-a", "a:b.c_d-e", "x".repeat(128)])("may be %s", (text) => {
    expect(isName(text)).toBe(true);
  });

  it.each(["", "a b", "a/b", "ä", "a\n", "x".repeat(129)])("may not be %j", (text) => {
    expect(isName(text)).toBe(false);
  });
});

describe("the name of a client's tool", () => {
  it.each(["a", "_", "look-up_2", "x".repeat(64)])("may be %s", (text) => {
    expect(isToolName(text)).toBe(true);
  });

  it.each(["", "a.b", "a b", "a:b", "ä", "a\n", "x".repeat(65)])("may not be %j", (text) => {
    expect(isToolName(text)).toBe(false);
  });
});
