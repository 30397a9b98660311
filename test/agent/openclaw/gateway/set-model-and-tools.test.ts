import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { AgentOptions } from "../../../../agent/settings/options.ts";
import { configDigest } from "../../../../protocol/wire/digest.ts";
import { GatewayRefusal } from "../../fake-gateway.ts";
import { configUpdate, eventually, launch, letIn, setup, temporaryDir, userSays } from "../../setup.ts";

/** An agent beside a fake gateway that knows two models and two tools. */
async function openclaw(options: Partial<AgentOptions> & { ready?: number } = {}) {
  const all = await setup({ ready: 200, openclawToken: "secret", ...options });
  const { gateway } = all.model;
  gateway.models = [
    { provider: "oc", id: "big" },
    { provider: "oc", id: "small" },
  ];
  gateway.tools = ["read", "exec"];
  gateway.config = { tools: { profile: "full" }, agents: { defaults: { model: { primary: "oc/own" } } } };
  return { ...all, gateway };
}

const model = (primary: string) => ({ defaults: { model: { primary } } });

describe("a config for a real OpenClaw", () => {
  it("is told to its gateway with the token, and acknowledged when it is in force there", async () => {
    const { host, gateway } = await openclaw();
    const ack = await host.ask(
      "config_update",
      configUpdate(4, { model: "oc/big" }, ["read", "exec", "read"]),
    );
    expect(ack.payload).toEqual({
      applied: true,
      revision: 4,
      sha256: configDigest({ model: "oc/big" }, { mode: "listed", tools: ["exec", "read", "read"] }),
    });
    expect(gateway.calls[0]).toMatchObject({
      method: "connect",
      params: { client: { id: "gateway-client", mode: "backend" }, auth: { token: "secret" } },
    });
    expect(gateway.config).toEqual({
      tools: { profile: "full", allow: ["exec", "read"] },
      agents: model("oc/big"),
    });
    const patch = gateway.calls.find(({ method }) => method === "config.patch");
    expect(patch?.params).toMatchObject({ baseHash: "h1", replacePaths: ["tools.allow", "tools.deny"] });
  });

  it.each([
    ["every tool: neither list", undefined, {}],
    ["some: the list of them", ["read"], { allow: ["read"] }],
    ["none: everything denied, for a list without names limits nothing", [], { deny: ["*"] }],
  ] as const)("sets the tools: %s", async (_, tools, expected) => {
    const { host, gateway } = await openclaw();
    gateway.config.tools = { profile: "full", allow: ["exec"], deny: ["message"] };
    const update = configUpdate(1, {}, tools as string[] | undefined);
    expect((await host.ask("config_update", update)).payload).toMatchObject({ applied: true });
    expect(gateway.config.tools).toEqual({ profile: "full", ...expected });
  });

  it("writes nothing if nothing differs", async () => {
    const { host, gateway } = await openclaw();
    await host.ask("config_update", configUpdate(1, {}));
    await host.ask("config_update", configUpdate(2, { temperature: 1 }));
    await host.ask("config_update", configUpdate(3, { model: "oc/big" }, ["exec"]));
    await host.ask("config_update", configUpdate(4, { model: "oc/big", top_p: 1 }, ["exec"]));
    expect(gateway.count("config.patch")).toBe(1);
  });

  it("waits until the gateway has taken what was written", async () => {
    const { host, gateway } = await openclaw();
    gateway.lagging = true;
    const ack = host.ask("config_update", configUpdate(1, { model: "oc/big" }));
    let answered = false;
    void ack.then(() => (answered = true));
    await eventually(() => gateway.count("config.get") >= 4);
    expect(answered).toBe(false);
    gateway.lagging = false;
    expect((await ack).payload).toMatchObject({ applied: true });
  });

  it.each([
    [{ model: "oc/huge" }, undefined, "OpenClaw has no model oc/huge"],
    [{ model: "big" }, undefined, "OpenClaw has no model big"],
    [{}, ["nope"], "OpenClaw has no tool nope"],
    [{}, ["read", "nope", "no"], "OpenClaw has no tool no, nope"],
  ])("with %j and the tools %j is refused: %s", async (config, tools, reason) => {
    const { host, gateway } = await openclaw();
    const ack = await host.ask("config_update", configUpdate(1, config, tools?.toSorted()));
    expect(ack.payload).toEqual({ applied: false, revision: 0, sha256: "", reason });
    expect(gateway.count("config.patch")).toBe(0);
  });

  it("that OpenClaw will not write is refused with what it says", async () => {
    const { host, gateway } = await openclaw();
    gateway.answer("config.patch", () => {
      throw new GatewayRefusal({ code: "INVALID_REQUEST", message: "tools conflict at http://10.0.0.1/" });
    });
    const ack = await host.ask("config_update", configUpdate(1, {}, []));
    expect(ack.payload).toMatchObject({
      applied: false,
      reason: "OpenClaw refuses it: tools conflict at [address]",
    });
  });

  it("is refused if the gateway does not let the agent in", async () => {
    const { host, gateway } = await openclaw();
    gateway.answer("connect", () => {
      throw new GatewayRefusal({ code: "INVALID_REQUEST", message: "unauthorized: token mismatch" });
    });
    const ack = await host.ask("config_update", configUpdate(1, {}));
    expect(ack.payload).toMatchObject({
      applied: false,
      reason: "OpenClaw's gateway refuses the agent: unauthorized: token mismatch",
    });
  });

  it("is written again on top of what somebody else wrote meanwhile", async () => {
    const { host, gateway } = await openclaw();
    gateway.answer("models.list", () => ({ models: gateway.models }));
    let touched = false;
    gateway.answer("config.patch", ({ baseHash }) => {
      if (!touched) {
        touched = true;
        gateway.touch();
        throw new GatewayRefusal({ code: "INVALID_REQUEST", message: "config changed since last load" });
      }
      expect(baseHash).toBe("h2");
      gateway.config = { ...gateway.config, tools: { profile: "full", deny: ["*"] } };
      return { ok: true };
    });
    const ack = await host.ask("config_update", configUpdate(1, {}, []));
    expect(ack.payload).toMatchObject({ applied: true });
    expect(gateway.count("config.patch")).toBe(2);
  });
});

describe("OpenClaw's own model", () => {
  it("is back when no configuration names one, also after a restart of the agent", async () => {
    const stateDir = temporaryDir();
    const { host, agent, gateway, model: server } = await openclaw({ stateDir });
    await host.ask("config_update", configUpdate(1, { model: "oc/big" }));
    await host.ask("config_update", configUpdate(2, { model: "oc/small" }));
    expect(gateway.config.agents).toEqual(model("oc/small"));
    expect(readFileSync(join(stateDir, "openclaw-model.json"), "utf8")).toContain("oc/own");
    await agent.close();
    const again = await letIn(await launch(server, { stateDir, openclawToken: "secret" }));
    await again.ask("config_update", configUpdate(3, {}));
    expect(gateway.config.agents).toEqual(model("oc/own"));
  });

  it("stays what somebody makes it while no configuration names one", async () => {
    const { host, gateway } = await openclaw();
    await host.ask("config_update", configUpdate(1, { model: "oc/big" }));
    await host.ask("config_update", configUpdate(2, {}));
    gateway.config.agents = model("oc/other");
    await host.ask("config_update", configUpdate(3, { top_p: 1 }, []));
    expect(gateway.config.agents).toEqual(model("oc/other"));
  });
});

describe("a gateway that is away", () => {
  const bounds = { gatewayMs: 500, applyMs: 1_500, probeMs: 5 };

  it("has a config pushed again later, and the same one is applied then", async () => {
    const { host, gateway } = await openclaw({ bounds });
    gateway.answer("config.get", () => "silence");
    const early = await host.ask("config_update", configUpdate(1, { model: "oc/big" }));
    expect(early.payload).toEqual({
      applied: false,
      revision: 0,
      sha256: "",
      reason: "OpenClaw is away, so the configuration cannot be applied yet",
      retry: true,
    });
    gateway.answer("config.get", () => ({
      config: { agents: model("oc/big"), tools: {} },
      hash: "h1",
      configRevisionHash: "r",
      appliedConfigHash: "r",
    }));
    const ack = await host.ask("config_update", configUpdate(1, { model: "oc/big" }));
    expect(ack.payload).toMatchObject({ applied: true, revision: 1 });
    expect(ack.payload).not.toHaveProperty("retry");
  });

  it("that comes back in time applies it after all, once for each time that it was pushed", async () => {
    const { host, gateway } = await openclaw();
    let failures = 0;
    gateway.answer("models.list", () => {
      if (failures++ < 2)
        throw new GatewayRefusal({ code: "UNAVAILABLE", message: "later", retryAfterMs: 10 });
      return { models: gateway.models };
    });
    const pushed = configUpdate(1, { model: "oc/big" });
    const acks = await Promise.all([host.ask("config_update", pushed), host.ask("config_update", pushed)]);
    expect(acks.map(({ payload }) => payload["applied"])).toEqual([true, true]);
    expect(gateway.count("config.patch")).toBe(1);
  });

  it("gets the config again once OpenClaw is ready again", async () => {
    const { host, gateway, model: server } = await openclaw({ bounds: { probeMs: 5 } });
    await host.ask("config_update", configUpdate(1, {}, []));
    server.ready = 503;
    while ((await host.status("ready"))["openclaw"] !== "starting");
    gateway.config.tools = {};
    gateway.touch();
    gateway.drop();
    server.ready = 200;
    await eventually(() => gateway.count("config.patch") === 2);
    expect(gateway.config.tools).toEqual({ deny: ["*"] });
  });

  it("that sends more than a message may hold is taken for lost", async () => {
    const { host, gateway, logged } = await openclaw({
      bounds: { ...bounds, gatewayMessageBytes: 1024 },
    });
    gateway.answer("models.list", () => ({ models: ["x".repeat(4096)] }));
    host.send("config_update", "lost", configUpdate(1, { model: "oc/big" }));
    await eventually(() => logged.some((line) => line.includes("config_waits")));
    expect(gateway.count("connect")).toBeGreaterThan(1);
  });
});

describe("a server that is not known yet", () => {
  it("gets no config before it says what it is", async () => {
    const { host, model: server } = await setup({ ready: 502, bounds: { probeMs: 5 } });
    server.gateway.answer("connect", () => "silence");
    const ack = host.ask("config_update", configUpdate(1, { model: "any" }));
    await server.gateway.inbox.take();
    server.ready = 404;
    server.gateway.drop();
    expect((await ack).payload).toMatchObject({ applied: true });
    const exchange = host.message(userSays("hi"));
    expect((await server.next()).body["model"]).toBe("any");
    exchange.detach();
  });
});
