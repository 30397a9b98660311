import { describe, expect, it, onTestFinished } from "vitest";
import { configDigest, contextDigest } from "../../../protocol/wire/digest.ts";
import { connectHost } from "../fake-host.ts";
import { configUpdate, setup, userSays } from "../setup.ts";

const ALL = { mode: "all", tools: [] } as const;

describe("config_update", () => {
  it("is applied and acknowledged with what is in force", async () => {
    const { host } = await setup();
    const ack = await host.ask(
      "config_update",
      configUpdate(3, { model: "m", unknown: { deep: [1] } }, ["b", "a"]),
    );
    const sha256 = configDigest(
      { model: "m", unknown: { deep: [1] } },
      { mode: "listed", tools: ["a", "b"] },
    );
    expect(ack).toMatchObject({ type: "config_ack" });
    expect(ack.payload).toEqual({ applied: true, revision: 3, sha256 });
    // A heartbeat about OpenClaw may have come before.
    let heartbeat = await host.status("ready");
    if (heartbeat["config_revision"] === 0) heartbeat = await host.status("ready");
    expect(heartbeat).toMatchObject({ config_revision: 3, config_sha256: sha256 });
  });

  it("of a lower revision is refused, and the one in force stays", async () => {
    const { host } = await setup();
    const inForce = await host.ask("config_update", configUpdate(3, { a: 1 }));
    const ack = await host.ask("config_update", configUpdate(2, { a: 2 }));
    expect(ack.payload).toEqual({
      ...inForce.payload,
      applied: false,
      reason: expect.stringContaining("older"),
    });
  });

  it("of the same revision is applied again if it is the same, else refused", async () => {
    const { host } = await setup();
    const first = await host.ask("config_update", configUpdate(3, { a: 1 }));
    expect((await host.ask("config_update", configUpdate(3, { a: 1 }))).payload).toEqual(first.payload);
    const other = await host.ask("config_update", configUpdate(3, { a: 2 }));
    expect(other.payload).toEqual({
      ...first.payload,
      applied: false,
      reason: expect.stringContaining("digest"),
    });
  });

  it("with a wrong digest is refused", async () => {
    const { host } = await setup();
    const ack = await host.ask("config_update", { ...configUpdate(1, { a: 1 }), sha256: "0".repeat(64) });
    expect(ack.payload).toEqual({
      applied: false,
      revision: 0,
      sha256: "",
      reason: expect.stringContaining("sha256"),
    });
  });

  it.each([undefined, 0, -1, "1", 1.5])("with revision %s is refused", async (revision) => {
    const { host } = await setup();
    const ack = await host.ask("config_update", { ...configUpdate(1, {}), revision });
    expect(ack.payload).toMatchObject({ applied: false, reason: expect.stringContaining("revision") });
  });

  it.each([
    ["model", 5],
    ["model", "two words"],
    ["model", "a\r\nx-evil: 1"],
    ["model", ""],
    ["temperature", 2.1],
    ["temperature", "1"],
    ["top_p", -0.1],
    ["max_tokens", 0],
    ["max_tokens", 1.5],
    ["system_prompt", ["x"]],
  ])("with %s %j is refused with a sentence that names the key", async (key, value) => {
    const { host } = await setup();
    const ack = await host.ask("config_update", configUpdate(1, { [key]: value }));
    expect(ack.payload).toMatchObject({ applied: false, revision: 0, reason: expect.stringContaining(key) });
  });

  it.each([
    ["config", { config: [], revision: 1 }],
    ["tool_policy", { config: {}, tool_policy: [], revision: 1 }],
    ["tool_policy", { config: {}, tool_policy: { mode: "some" }, revision: 1 }],
    ["tool_policy", { config: {}, tool_policy: { mode: "listed", tools: [1] }, revision: 1 }],
    ["tool_allowlist", { config: {}, tool_allowlist: "search", revision: 1 }],
  ])("with a wrong %s is no config update: %j", async (key, payload) => {
    const { host } = await setup();
    const answer = await host.ask("config_update", payload);
    expect(answer.type).toBe("error");
    expect(answer.payload).toEqual({ code: "invalid_config", message: expect.stringContaining(key) });
  });

  it.each([
    ["null", null, ALL],
    ["empty", [], ALL],
    ["valinor:none", ["valinor:none"], { mode: "listed", tools: [] }],
    ["a list", ["b", "a"], { mode: "listed", tools: ["a", "b"] }],
  ] as const)("without a policy takes the allow-list of protocol 1: %s", async (_, list, policy) => {
    const { host } = await setup();
    const ack = await host.ask("config_update", { config: null, tool_allowlist: list, revision: 1 });
    expect(ack.payload).toEqual({ applied: true, revision: 1, sha256: configDigest({}, policy) });
  });
});

describe("min_config_revision", () => {
  it("above the one in force is config_stale, and runs nothing", async () => {
    const { host, model } = await setup();
    await host.ask("config_update", configUpdate(2, {}));
    const error = await host
      .message(userSays("hi", { request_id: "r", min_config_revision: 3 }))
      .next("error");
    expect(error).toEqual({ code: "config_stale", message: expect.any(String) });
    expect(model.calls).toBe(0);
    await host.ask("config_update", configUpdate(3, {}));
    const again = host.message(userSays("hi", { request_id: "r", min_config_revision: 3 }));
    expect(await again.next("opened")).toMatchObject({ attached: false });
  });
});

describe("context_update", () => {
  const bounds = { contextEntries: 2, contextEntryBytes: 10, contextBytes: 15 };

  it("is acknowledged, replaced by the same key, and removed by an empty text", async () => {
    const { host, model } = await setup();
    expect((await host.ask("context_update", { context: "old" })).payload).toEqual({
      applied: true,
      context_sha256: contextDigest([["", "old"]]),
    });
    await host.ask("context_update", { context: "gone", key: "k" });
    await host.ask("context_update", { context: "new", key: null, extra: true });
    await host.ask("context_update", { context: "", key: "k" });
    host.message(userSays("hi"));
    expect((await model.next()).body.messages).toEqual([
      { role: "system", content: "new" },
      { role: "user", content: "hi" },
    ]);
  });

  it.each([
    ["more entries than allowed", { context: "c", key: "c" }, "entries"],
    ["an entry over its bound", { context: "äääääa", key: "a" }, "10 bytes"],
    ["more than all may hold", { context: "1234567890", key: "b" }, "in all"],
    ["a long key", { context: "x", key: "k".repeat(257) }, "key"],
  ])("is refused with %s", async (_, payload, reason) => {
    const { host } = await setup({ bounds });
    await host.ask("context_update", { context: "12345678", key: "a" });
    await host.ask("context_update", { context: "x", key: "b" });
    const ack = await host.ask("context_update", payload);
    const before = contextDigest([
      ["a", "12345678"],
      ["b", "x"],
    ]);
    expect(ack.payload).toEqual({
      applied: false,
      context_sha256: before,
      reason: expect.stringContaining(reason),
    });
    // What was refused changed nothing: replacing an entry still works.
    expect((await host.ask("context_update", { context: "1234567", key: "b" })).payload).toMatchObject({
      applied: true,
    });
  });

  it("with replace drops every entry that is not named, and tells the digest of what is left", async () => {
    const { host } = await setup();
    for (const key of ["", "a", "b"]) await host.ask("context_update", { context: `text ${key}`, key });
    const ack = await host.ask("context_update", {
      context: "new",
      key: "c",
      replace: true,
      keys: ["a", "c"],
    });
    const left = contextDigest([
      ["a", "text a"],
      ["c", "new"],
    ]);
    expect(ack.payload).toEqual({ applied: true, context_sha256: left });
    expect((await host.ask("context_update", { context: "", key: "", replace: true })).payload).toEqual({
      applied: true,
      context_sha256: contextDigest([]),
    });
  });

  it("that replaces and is refused drops nothing", async () => {
    const { host } = await setup({ bounds });
    const first = await host.ask("context_update", { context: "12345678", key: "a" });
    const long = { context: "12345678901", key: "b", replace: true, keys: ["b"] };
    const ack = await host.ask("context_update", long);
    expect(ack.payload).toMatchObject({ applied: false, context_sha256: first.payload["context_sha256"] });
  });

  it("is told by its digest in the heartbeats of every link", async () => {
    const { host, agent } = await setup();
    await host.ask("context_update", { context: "x", key: "k" });
    const other = await connectHost(agent.address);
    onTestFinished(() => other.close());
    await other.link.take();
    expect(await other.greet()).toMatchObject({ context_sha256: contextDigest([["k", "x"]]) });
  });

  it("without a text takes the default entry away, as one with an empty text does", async () => {
    const { host } = await setup();
    await host.ask("context_update", { context: "x" });
    const ack = await host.ask("context_update", {});
    expect(ack.payload).toEqual({ applied: true, context_sha256: contextDigest([]) });
  });

  it.each([
    { context: 1 },
    { context: "x", key: 1 },
    { context: "x", replace: 1 },
    { context: "x", replace: true, keys: "k" },
    { context: "x", replace: true, keys: [1] },
  ])("that is none is invalid: %j", async (payload) => {
    const { host } = await setup();
    expect(await host.ask("context_update", payload)).toMatchObject({
      type: "error",
      payload: { code: "invalid_config" },
    });
  });
});
