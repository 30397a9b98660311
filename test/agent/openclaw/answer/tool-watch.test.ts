import { describe, expect, it } from "vitest";
import { configUpdate, eventually, setup, userSays } from "../../setup.ts";
import type { FakeGateway } from "../../fake-gateway.ts";

/** An agent whose policy is that list, beside a fake gateway, and a run whose model call is under way. */
async function running(tools: string[] | undefined, bounds = {}) {
  const { host, model, connect } = await setup({ ready: 200, bounds });
  const { gateway } = model;
  gateway.tools = ["read", "exec"];
  await host.ask("config_update", configUpdate(1, {}, tools));
  const exchange = host.message(userSays("hi"));
  const call = await model.next();
  return { host, model, connect, gateway, exchange, call };
}

const item = (runId: string, name: string, more = {}) => ({
  runId,
  stream: "item",
  data: { kind: "tool", phase: "start", name, ...more },
});

const role = (id: string) => ({ id, choices: [{ index: 0, delta: { role: "assistant" } }] });

async function letInAgain(gateway: FakeGateway) {
  const connects = gateway.count("connect");
  gateway.drop();
  await eventually(() => gateway.count("connect") > connects && gateway.open === 1);
}

describe("a tool that OpenClaw runs by itself", () => {
  it("ends the run and drops the call if it is denied", async () => {
    const { exchange, call, gateway } = await running(["read"]);
    call.event(role("chatcmpl_1"));
    call.text("let me see");
    await exchange.next("opened");
    expect(await exchange.next("chunk")).toMatchObject({ content: "let me see" });
    gateway.tell("agent", item("chatcmpl_1", "exec"));
    expect(await exchange.next("tool_blocked")).toEqual({
      tool_name: "exec",
      reason: "tool not in allow-list",
      sequence: 2,
      mark: expect.any(Number),
    });
    await call.closed;
  });

  it("counts even if the gateway tells of it before the answer tells its id", async () => {
    const { exchange, call, gateway } = await running([]);
    gateway.tell("agent", item("chatcmpl_1", "exec"));
    gateway.tell("agent", item("chatcmpl_2", "exec"));
    call.event(role("chatcmpl_1"));
    expect((await exchange.rest()).at(-1)).toMatchObject({ type: "tool_blocked" });
  });

  it("is no matter if it is listed, is of another run, or is no tool", async () => {
    const { exchange, call, gateway } = await running(["read"]);
    call.event(role("chatcmpl_1"));
    call.text("a");
    await exchange.next("opened");
    await exchange.next("chunk");
    gateway.tell("agent", item("chatcmpl_1", "read"));
    gateway.tell("agent", item("chatcmpl_2", "exec"));
    gateway.tell("agent", item("chatcmpl_1", "exec", { kind: "patch" }));
    gateway.tell("other", item("chatcmpl_1", "exec"));
    gateway.tell("agent", { runId: "chatcmpl_1", stream: "item", data: null });
    gateway.tell("agent", item("chatcmpl_1", "message"));
    expect(await exchange.next("tool_blocked")).toMatchObject({ tool_name: "message" });
  });

  it("is seen on a connection that was lost and is back", async () => {
    const { exchange, call, gateway } = await running([], { gatewayRedialMinMs: 5 });
    call.event(role("chatcmpl_1"));
    await letInAgain(gateway);
    // The fake tells those that it let in: the answer to connect and this go out in that order.
    gateway.tell("agent", item("chatcmpl_1", "exec"));
    expect((await exchange.rest()).at(-1)).toMatchObject({ type: "tool_blocked" });
  });
});

describe("the gateway", () => {
  it("is left alone by runs that may use every tool, and closed when nobody needs it", async () => {
    const { exchange, call, gateway } = await running(undefined, { gatewayIdleMs: 20 });
    await eventually(() => gateway.open === 0);
    call.text("a");
    call.finish();
    await exchange.rest();
    expect(gateway.count("connect")).toBe(1);
  });

  it("that lets nobody in does not keep a run from its answer", async () => {
    const { host, model } = await setup({ ready: 200, bounds: { gatewayMs: 50 } });
    model.gateway.answer("connect", () => "silence");
    const exchange = host.message(userSays("hi"));
    const call = await model.next();
    call.text("a");
    call.finish();
    expect((await exchange.rest()).at(-1)).toMatchObject({ type: "chunk", payload: { done: true } });
  });
});

describe("a conversation", () => {
  it("has a key of its own whatever its case, the same one each time, and none if it is fresh", async () => {
    const { host, model } = await setup({ ready: 200 });
    const users: unknown[] = [];
    for (const id of ["ctxC", "CTXC", "ctxC", "a b\u{1f600}", ""]) {
      host.message(userSays("hi", { conversation_id: id }));
      users.push((await model.next()).body["user"]);
    }
    const [lower, upper, again, odd, fresh] = users;
    expect(new Set([lower, upper, odd]).size).toBe(3);
    expect(again).toBe(lower);
    expect(fresh).toBeUndefined();
    for (const user of [lower, upper, odd]) expect(user).toMatch(/^valinor-[0-9a-f]{64}$/);
  });
});
