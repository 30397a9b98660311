import { describe, expect, it } from "vitest";
import { NO_TOOLS, readPolicy, toolCheck } from "../../../agent/settings/tool-policy.ts";

describe("the check of tools", () => {
  it("allows every tool if the policy says all", () => {
    expect(toolCheck({ mode: "all", tools: [] }, [])("any")).toBe(true);
  });

  it("allows what is listed, and nothing else", () => {
    const allows = toolCheck({ mode: "listed", tools: ["a"] }, []);
    expect(["a", "b", "client:a", ""].map(allows)).toEqual([true, false, false, false]);
  });

  it("allows a tool of the client by its longer name too, and only if the client offers it", () => {
    const policy = { mode: "listed" as const, tools: ["client:a", "b"] };
    expect(["a", "b", "client:a"].map(toolCheck(policy, ["a"]))).toEqual([true, true, true]);
    expect(["a", "b"].map(toolCheck(policy, []))).toEqual([false, true]);
  });

  it("allows nothing before the first configuration", () => {
    expect(toolCheck(NO_TOOLS, ["a"])("a")).toBe(false);
  });
});

describe("the policy of a config_update", () => {
  it.each([
    [{ tool_policy: { mode: "all" } }, { mode: "all", tools: [] }],
    [
      { tool_policy: { mode: "listed", tools: ["a"] }, tool_allowlist: ["b"] },
      { mode: "listed", tools: ["a"] },
    ],
    [{ tool_allowlist: ["a", "b"] }, { mode: "listed", tools: ["a", "b"] }],
    [{ tool_allowlist: ["valinor:none"] }, { mode: "listed", tools: [] }],
    [{ tool_allowlist: [] }, { mode: "all", tools: [] }],
    [{ tool_policy: null }, { mode: "all", tools: [] }],
  ])("of %j", (payload, policy) => {
    expect(readPolicy(payload)).toEqual(policy);
  });

  it.each([
    [{ tool_policy: [] }, "tool_policy is not an object"],
    [{ tool_policy: { mode: "some" } }, "tool_policy.mode is neither all nor listed"],
    [{ tool_policy: { mode: "listed", tools: [1] } }, "tool_policy.tools is not a list of names"],
    [{ tool_allowlist: "a" }, "tool_allowlist is not a list of names"],
  ])("is refused: %j", (payload, message) => {
    expect(() => readPolicy(payload)).toThrow(message);
  });
});
