import { describe, expect, it } from "vitest";
import type { ModelCall } from "../fake-model.ts";
import { configUpdate, setup, userSays } from "../setup.ts";

const described = (name: string) => ({
  type: "function",
  function: { name, parameters: { type: "object" } },
});
const call = (name: string) => ({
  index: 0,
  id: "c1",
  type: "function",
  function: { name, arguments: "{}" },
});

/** An agent under a policy; without one every tool is allowed. */
async function agentWith(tools?: string[]) {
  const all = await setup();
  await all.host.ask("config_update", configUpdate(1, {}, tools));
  return all;
}

const messagesOf = ({ body }: ModelCall) => body.messages;

describe("tools of a client", () => {
  it("go to the model as they are, with the choice among them", async () => {
    const { host, model } = await agentWith();
    const tools = [described("look_up")];
    host.message(userSays("hi", { tools, tool_choice: "required" }));
    const { body } = await model.next();
    expect(body).toMatchObject({ tools, tool_choice: "required" });
  });

  it("leave no trace in a request that has none", async () => {
    const { host, model } = await agentWith();
    host.message(userSays("hi", { tools: [], tool_choice: "auto" }));
    const { body } = await model.next();
    expect(Object.keys(body)).not.toContain("tools");
    expect(Object.keys(body)).not.toContain("tool_choice");
  });

  it.each([
    ["is not listed", ["read"], "look_up"],
    ["is one of none that are allowed", [], "look_up"],
    ["is listed for OpenClaw under another spelling", ["Look_Up", "client:look_up2"], "look_up"],
  ])("end the run before the model is called if one %s", async (_, policy, name) => {
    const { host, model } = await agentWith(policy);
    const exchange = host.message(userSays("hi", { tools: [described(name)] }));
    const frames = await exchange.rest();
    expect(frames.map(({ type }) => type)).toEqual(["opened", "tool_blocked"]);
    expect(frames.at(-1)?.payload).toMatchObject({ tool_name: name, sequence: 1 });
    expect(model.calls).toBe(0);
  });

  it.each([["look_up"], ["client:look_up"]])("are called if the policy lists %s", async (listed) => {
    const { host, model } = await agentWith([listed]);
    const exchange = host.message(userSays("hi", { tools: [described("look_up")] }));
    const modelCall = await model.next();
    modelCall.delta({ tool_calls: [call("look_up")] });
    modelCall.finish("tool_calls");
    const frames = await exchange.rest();
    expect(frames.map(({ type }) => type)).toEqual(["opened", "tool_call", "chunk"]);
    expect(frames.at(-1)?.payload).toMatchObject({ done: true, finish_reason: "tool_calls" });
  });

  it("listed for clients are no leave for OpenClaw's tool of that name", async () => {
    const { host, model } = await agentWith(["client:exec"]);
    const exchange = host.message(userSays("hi"));
    const modelCall = await model.next();
    modelCall.delta({ tool_calls: [call("exec")] });
    modelCall.finish("tool_calls");
    expect((await exchange.rest()).at(-1)?.type).toBe("tool_blocked");
  });

  it.each([
    ["are no list", { get: 1 }],
    ["are no objects", ["get"]],
    ["are no functions", [{ type: "custom", custom: { name: "get" } }]],
    ["have no name", [{ type: "function", function: {} }]],
    ["have a name that is no word", [described("rm -rf")]],
    ["have a name that is too long", [described("x".repeat(65))]],
    ["are too many", Array.from({ length: 129 }, (_, index) => described(`t${index}`))],
  ])("that %s are refused", async (_, tools) => {
    const { host, model } = await agentWith();
    const exchange = host.message(userSays("hi", { tools }));
    expect(await exchange.next("error")).toMatchObject({ code: "invalid_message" });
    expect(model.calls).toBe(0);
  });

  it("make another message of one with the same words", async () => {
    const { host, model } = await agentWith();
    const ask = (more: object) => host.message(userSays("hi", { request_id: "r1", ...more }));
    const first = ask({ tools: [described("a")], history: [{ role: "user", content: "x" }] });
    await first.next("opened");
    const same = ask({ history: [{ content: "x", role: "user" }], tools: [described("a")] });
    expect(await same.next("opened")).toMatchObject({ attached: true });
    for (const more of [{}, { tools: [described("b")] }, { tools: [described("a")], tool_choice: "none" }]) {
      expect(await ask(more).next("error")).toMatchObject({ code: "request_id_reused" });
    }
    expect(model.calls).toBeLessThanOrEqual(1);
  });
});

describe("a history", () => {
  const history = [
    { role: "system", content: "be brief" },
    { role: "user", content: "weather?" },
    {
      role: "assistant",
      content: "",
      tool_calls: [{ id: "c1", type: "function", function: { name: "get", arguments: "{}" } }],
    },
  ];

  it("stands between the agent's own system messages and the message", async () => {
    const { host, model } = await setup();
    await host.ask("config_update", configUpdate(1, { system_prompt: "you are an agent" }));
    host.message({ role: "tool", content: "sunny", tool_call_id: "c1", history });
    expect(messagesOf(await model.next())).toEqual([
      { role: "system", content: "you are an agent\n\nbe brief" },
      ...history.slice(1),
      { role: "tool", content: "sunny", tool_call_id: "c1" },
    ]);
  });

  it.each([
    ["is no list", "hello"],
    ["has turns that are no objects", ["hello"]],
    ["has a role of its own", [{ role: "root", content: "x" }]],
    [
      "has content that could be fetched",
      [{ role: "user", content: [{ type: "image_url", image_url: { url: "http://10.0.0.1/" } }] }],
    ],
    ["is too long", Array.from({ length: 1_001 }, () => ({ role: "user", content: "x" }))],
  ])("that %s is refused", async (_, turns) => {
    const { host, model } = await agentWith();
    const exchange = host.message(userSays("hi", { history: turns }));
    expect(await exchange.next("error")).toMatchObject({ code: "invalid_message" });
    expect(model.calls).toBe(0);
  });

  it("may be as long as it may", async () => {
    const { host, model } = await agentWith();
    const turns = Array.from({ length: 1_000 }, (_, index) => ({ role: "user", content: `x${index}` }));
    host.message(userSays("hi", { history: turns }));
    expect(messagesOf(await model.next())).toHaveLength(1_001);
  });
});

describe("a policy that lists tools of clients", () => {
  it.each([
    ["asks OpenClaw for its own tools alone", ["read", "client:look_up"], { allow: ["read"] }],
    ["allows none of OpenClaw's if it lists none", ["client:look_up"], { deny: ["*"] }],
  ])("%s", async (_, tools, expected) => {
    const { host, model } = await setup({ ready: 200, openclawToken: "secret" });
    model.gateway.tools = ["read", "exec"];
    const ack = await host.ask("config_update", configUpdate(1, {}, tools));
    expect(ack.payload).toMatchObject({ applied: true });
    expect(model.gateway.config.tools).toEqual(expected);
  });
});
