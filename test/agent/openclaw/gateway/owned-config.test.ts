import { describe, expect, it } from "vitest";
import {
  type Owned,
  ownTools,
  patchOf,
  readOwned,
  sameOwned,
  targetOf,
} from "../../../../agent/openclaw/gateway/owned-config.ts";

const nothing: Owned = { primary: undefined, allow: undefined, deny: undefined };
const policy = (tools: string[]) => ({ mode: "listed" as const, tools });
const all = { mode: "all" as const, tools: [] };

describe("what OpenClaw's configuration is to hold", () => {
  it("is the model of the agent's configuration, whatever OpenClaw has", () => {
    const now = { ...nothing, primary: "a/now" };
    for (const own of [undefined, null, "a/own"])
      expect(targetOf({ model: "a/wanted", policy: all }, now, own).primary).toBe("a/wanted");
  });

  it("is OpenClaw's own model again if the agent's configuration names none", () => {
    const now = { ...nothing, primary: "a/set-by-agent" };
    expect(targetOf({ model: undefined, policy: all }, now, "a/own").primary).toBe("a/own");
    expect(targetOf({ model: undefined, policy: all }, now, null).primary).toBeUndefined();
  });

  it("keeps the model if the agent never set one", () => {
    const now = { ...nothing, primary: "a/now" };
    expect(targetOf({ model: undefined, policy: all }, now, undefined).primary).toBe("a/now");
  });

  it("has no list of tools if all are allowed", () => {
    const now: Owned = { primary: undefined, allow: ["read"], deny: ["*"] };
    expect(targetOf({ model: undefined, policy: all }, now, undefined)).toEqual(nothing);
  });

  it("lists the only tools that are allowed, sorted, each once, without those of clients", () => {
    const wanted = { model: undefined, policy: policy(["write", "client:x", "read", "write"]) };
    expect(targetOf(wanted, nothing, undefined)).toEqual({ ...nothing, allow: ["read", "write"] });
  });

  it("denies every tool if none of OpenClaw's is allowed, because it takes an empty list for no limit", () => {
    for (const tools of [[], ["client:x"]])
      expect(targetOf({ model: undefined, policy: policy(tools) }, nothing, undefined)).toEqual({
        ...nothing,
        deny: ["*"],
      });
  });
});

it("tools of clients are none of OpenClaw's", () => {
  expect(ownTools(policy(["client:read", "read", "clients"]))).toEqual(["read", "clients"]);
});

describe("the patch of OpenClaw's configuration", () => {
  it("is empty if nothing differs", () => {
    const owned: Owned = { primary: "a/b", allow: ["x"], deny: undefined };
    expect(patchOf(owned, { ...owned })).toEqual({});
  });

  it("sets a model, and takes it away with null", () => {
    const model = (primary: string | null) => ({ agents: { defaults: { model: { primary } } } });
    expect(patchOf(nothing, { ...nothing, primary: "a/b" })).toEqual(model("a/b"));
    expect(patchOf({ ...nothing, primary: "a/b" }, nothing)).toEqual(model(null));
  });

  it("writes both lists of tools if one differs: the other goes away", () => {
    expect(patchOf({ ...nothing, deny: ["*"] }, { ...nothing, allow: ["x"] })).toEqual({
      tools: { allow: ["x"], deny: null },
    });
    expect(patchOf({ ...nothing, allow: ["x"] }, { ...nothing, allow: ["x"], deny: ["*"] })).toEqual({
      tools: { allow: ["x"], deny: ["*"] },
    });
  });
});

describe("reading OpenClaw's configuration", () => {
  const snapshot = (config: unknown) => ({ hash: "h", config });

  it("finds the model as an object or a name, and sorts the lists of tools", () => {
    const tools = { allow: ["write", "read"], deny: ["z", "a"] };
    const primary = "a/b";
    for (const model of [primary, { primary }])
      expect(readOwned(snapshot({ tools, agents: { defaults: { model } } }))).toEqual({
        primary,
        allow: ["read", "write"],
        deny: ["a", "z"],
      });
  });

  it("takes whatever has another shape for not set", () => {
    const defaults = { model: 7 };
    for (const config of [undefined, null, "x", {}, { tools: 1, agents: [] }, { agents: { defaults } }])
      expect(readOwned(snapshot(config))).toEqual(nothing);
    expect(readOwned(snapshot({ tools: { allow: "read", deny: {} } }))).toEqual(nothing);
  });
});

it("two configurations are the same only if model and both lists are", () => {
  const owned: Owned = { primary: "a/b", allow: ["x"], deny: undefined };
  expect(sameOwned(owned, { ...owned, allow: ["x"] })).toBe(true);
  expect(sameOwned(owned, { ...owned, primary: "a/c" })).toBe(false);
  expect(sameOwned(owned, { ...owned, allow: ["x", "y"] })).toBe(false);
  expect(sameOwned(owned, { ...owned, allow: undefined })).toBe(false);
  expect(sameOwned(owned, { ...owned, deny: [] })).toBe(false);
});
