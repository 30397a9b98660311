import { expect, it } from "vitest";
import { localCaller } from "../../../src/core/access/authorize.ts";
import { linkName } from "../../../src/core/runs/names.ts";

it("a run's name on the link is the caller's own behind 64 bits of a digest of tenant and subject", () => {
  expect(linkName(localCaller, "r")).toMatch(/^[0-9a-f]{16}\.r$/);
  expect(linkName(localCaller, "r")).toBe(linkName({ ...localCaller }, "r"));
});

it("two callers have no name in common, however their tenants and subjects read together", () => {
  const callers = [
    { tenant: "a", subject: "bc" },
    { tenant: "ab", subject: "c" },
    { tenant: "a", subject: "b" },
    { tenant: "b", subject: "b" },
  ].map((who) => linkName({ ...localCaller, ...who }, "r"));
  expect(new Set(callers).size).toBe(4);
});
