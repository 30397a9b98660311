import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { beforeAll, describe, expect, it } from "vitest";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { type Stack, startStack } from "./stack.ts";

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

async function post(path: string, body: string): Promise<{ status: number; text: string }> {
  const response = await fetch(stack.url + path, {
    method: "POST",
    body,
    headers: { "content-type": "application/json" },
  });
  return { status: response.status, text: await response.text() };
}

const rpc = (method: string, body: string) => post(`/valinor.v1.AgentProxy/${method}`, body);

describe("half of a surrogate pair", () => {
  const half = String.raw`\ud83d`;

  it.each([
    ["/agents/demo/message", `{"content":"cut ${half}"}`, "/content"],
    ["/agents/demo/message", `{"content":"x","mine":{"a":["${half}"]}}`, "/mine/a/0"],
    ["/agents/demo/message", `{"content":"x","${half}":1}`, "/\\ufffd"],
    ["/agents/demo/stream", `{"content":"${half}"}`, "/content"],
    ["/agents/demo/context", `{"context":"${half}"}`, "/context"],
    ["/agents/demo/cancel", `{"request_id":"r1","reason":"${half}"}`, "/reason"],
    [
      "/v1/chat/completions",
      `{"model":"demo","messages":[{"role":"user","content":"${half}"}]}`,
      "/messages/0/content",
    ],
    [
      "/v1/chat/completions",
      `{"model":"demo","messages":[{"role":"tool","tool_call_id":"c","content":"${half}"}]}`,
      "/messages/0/content",
    ],
    [
      "/v1/chat/completions",
      `{"model":"demo","user":"${half}","messages":[{"role":"user","content":"x"}]}`,
      "/user",
    ],
  ])("%s with %s is refused, and its place is told", async (path, body, pointer) => {
    const calls = stack.model.calls;
    const { status, text } = await post(path, body);
    expect(status).toBe(400);
    expect(text).toContain(JSON.stringify(JSON.parse(`"${pointer}"`)).slice(1, -1));
    expect(text).toContain("surrogate pair");
    expect(stack.model.calls).toBe(calls);
  });

  it.each([
    ["SendMessage", `{"agentId":"demo","message":{"content":"${half}"}}`],
    ["PushContext", `{"agentId":"demo","context":"${half}"}`],
    ["CancelMessage", `{"agentId":"demo","requestId":"r1","reason":"${half}"}`],
    ["PushConfig", `{"agentId":"demo","config":{"a":{"b":["${half}"]}}}`],
    ["PushConfig", `{"agentId":"demo","config":{"${half}":1}}`],
    ["PushConfig", `{"agentId":"demo","toolPolicy":{"tools":["${half}"]}}`],
  ])("%s with %s is an invalid argument", async (method, body) => {
    const { status, text } = await rpc(method, body);
    expect([status, JSON.parse(text)]).toMatchObject([400, { code: "invalid_argument" }]);
  });

  it("in a query is refused, as escape and as bytes", async () => {
    const message = encodeURIComponent(`{"content":"${half}"}`);
    expect((await fetch(`${stack.url}/agents/demo/stream?message=${message}`)).status).toBe(400);
    expect(
      (await fetch(`${stack.url}/agents/demo/stream?message=%7B%22content%22:%22%ED%A0%BD%22%7D`)).status,
    ).toBe(400);
    expect((await fetch(`${stack.url}/agents?filter=%ED%A0%BD`)).status).toBe(400);
  });
});

describe("a number that a double does not hold", () => {
  it.each([
    ['{"a":{"b":1e400}}', "/a/b"],
    ['{"a":[1,-1e999]}', "/a/1"],
    ['{"id":12345678901234567890}', "/id"],
  ])("in the configuration %s is refused, and its place is told", async (config, pointer) => {
    const before = await stack.registry.listConfigRevisions({ agentId: "demo" });
    const { status, text } = await rpc("PushConfig", `{"agentId":"demo","config":${config}}`);
    expect([status, JSON.parse(text)]).toMatchObject([400, { code: "invalid_argument" }]);
    expect((JSON.parse(text) as { message: string }).message).toContain(`config: ${pointer} `);
    const after = await stack.registry.listConfigRevisions({ agentId: "demo" });
    expect(after.revisions.length).toBe(before.revisions.length);
  });

  it("is refused over gRPC too, in which a number is bits and not text", async () => {
    const proxy = createClient(AgentProxy, createGrpcTransport({ baseUrl: stack.url }));
    for (const value of [Infinity, NaN, 2 ** 60]) {
      await expect(proxy.pushConfig({ agentId: "demo", config: { a: { b: value } } })).rejects.toThrow(
        "/a/b",
      );
    }
    await expect(
      proxy.pushConfig({ agentId: "demo", config: { a: 0.1, b: 2 ** 53 - 1 } }),
    ).resolves.toMatchObject({
      applied: true,
    });
  });

  it("in a message's own keys is refused, and is taken as a text", async () => {
    const { status, text } = await post(
      "/agents/demo/message",
      '{"content":"x","order":{"id":12345678901234567890}}',
    );
    expect([status, (JSON.parse(text) as { message: string }).message]).toEqual([
      400,
      "/order/id is a whole number beyond 2^53, which would be rounded: send it as a text",
    ]);
    expect((await post("/agents/demo/message", '{"content":"x","id":"12345678901234567890"}')).status).toBe(
      200,
    );
    expect((await post("/agents/demo/message", '{"content":"x","id":1e400}')).status).toBe(400);
  });

  it("in a tool's schema is taken, as bounds of 64 bits stand in many", async () => {
    const tool = '{"type":"function","function":{"name":"f","parameters":{"maximum":9223372036854775807}}}';
    const body = `{"model":"demo","tools":[${tool}],"seed":12345678901234567890,"messages":[{"role":"user","content":"x"}]}`;
    expect((await post("/v1/chat/completions", body)).status).toBe(200);
  });
});
