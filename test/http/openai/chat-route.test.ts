import { setTimeout as sleep } from "node:timers/promises";
import { once } from "node:events";
import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { errorRow, reasons, ValinorError } from "../../../src/core/errors.ts";
import type { SendInput } from "../../../src/core/inputs.ts";
import type { AgentStatusView, RunEvent, ToolCallEvent } from "../../../src/core/types.ts";
import { writeOpenAIError } from "../../../src/http/openai/errors.ts";
import { agent, fakeCore, fakeRun, streamCore } from "../fake-core.ts";
import { ask, dial, readUntil, serve, serveRest } from "../serving.ts";

const PATH = "/v1/chat/completions";
const chat = (more: object = {}) =>
  JSON.stringify({ model: "a1", messages: [{ role: "user", content: "hi" }], ...more });
const usage = { promptTokens: 3, completionTokens: 2, totalTokens: 5 };
const call: ToolCallEvent = {
  kind: "tool_call",
  sequence: 2,
  callId: "c1",
  toolName: "look",
  arguments: '{"q":1}',
};

/** The objects of a stream's data lines, and its mark. */
function dataOf(body: string): unknown[] {
  const lines = body.split("\n").filter((line) => line.startsWith("data: "));
  return lines.map((line) => (line === "data: [DONE]" ? "[DONE]" : (JSON.parse(line.slice(6)) as unknown)));
}

/** Streams these events to a client. */
async function stream(events: readonly RunEvent[], more: object = {}) {
  const run = fakeRun();
  run.push(...events);
  const { port } = await serveRest(streamCore(run).core);
  return ask(port, PATH, { body: chat({ stream: true, ...more }) });
}

describe("a chat completion", () => {
  it("has OpenAI's shape, and the run's name in its headers", async () => {
    const asked: SendInput[] = [];
    const core = fakeCore({
      send: (_caller, input) => {
        asked.push(input);
        return Promise.resolve({
          requestId: "r1",
          content: "hello",
          finishReason: "stop",
          usage,
          toolCalls: [],
          resumable: true,
        });
      },
    });
    const { port } = await serveRest(core);
    const answer = await ask(port, PATH, { body: chat() });
    expect(answer.status).toBe(200);
    expect(answer.headers).toMatchObject({ "x-request-id": "r1", "content-type": "application/json" });
    expect(JSON.parse(answer.body)).toEqual({
      id: "chatcmpl-r1",
      object: "chat.completion",
      created: expect.any(Number) as number,
      model: "a1",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "hello", refusal: null },
          logprobs: null,
          finish_reason: "stop",
        },
      ],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    });
    expect(asked[0]).toMatchObject({ agentId: "a1", requestId: "", onDisconnect: "cancel" });
  });

  it("has the calls of tools, and no content if there is none", async () => {
    const toolCalls = [call];
    const core = fakeCore({
      send: () =>
        Promise.resolve({ requestId: "r1", content: "", finishReason: "stop", toolCalls, resumable: true }),
    });
    const { port } = await serveRest(core);
    const { choices, usage: told } = JSON.parse((await ask(port, PATH, { body: chat() })).body);
    expect(choices[0]).toMatchObject({ message: { content: null }, finish_reason: "tool_calls" });
    expect(choices[0].message.tool_calls).toEqual([
      { id: "c1", type: "function", function: { name: "look", arguments: '{"q":1}' } },
    ]);
    expect(told).toBeUndefined();
  });

  it.each([
    ["stop", 0, "stop"],
    ["STOP", 0, "stop"],
    ["end_turn", 0, "stop"],
    ["max_tokens", 0, "length"],
    ["SAFETY", 0, "content_filter"],
    ["unknown", 0, "unknown"],
    ["error", 0, "error"],
    ["content_filter: SAFETY", 0, "content_filter: SAFETY"],
    ["constructor", 0, "constructor"],
    ["stop", 1, "tool_calls"],
    ["unknown", 1, "tool_calls"],
    ["length", 1, "length"],
  ])(
    "that ended with %s and %i calls says so, and never that a word it does not know is stop",
    async (word, calls, told) => {
      const toolCalls = Array.from({ length: calls }, () => call);
      const core = fakeCore({
        send: () =>
          Promise.resolve({ requestId: "r1", content: "x", finishReason: word, toolCalls, resumable: true }),
      });
      const { port } = await serveRest(core);
      const { choices } = JSON.parse((await ask(port, PATH, { body: chat() })).body);
      expect(choices[0].finish_reason).toBe(told);
      const done: RunEvent = { kind: "done", sequence: calls + 1, finishReason: word };
      const chunks = dataOf((await stream([...toolCalls, done])).body).slice(0, -1) as {
        choices: unknown[];
      }[];
      expect(chunks.at(-1)?.choices[0]).toMatchObject({ finish_reason: told });
    },
  );

  it("takes a history that is larger than a message may be", async () => {
    const core = fakeCore({
      send: (_caller, { message }) =>
        Promise.resolve({
          requestId: "r1",
          content: String(message.history?.length),
          finishReason: "stop",
          toolCalls: [],
          resumable: true,
        }),
    });
    const { port } = await serveRest(core);
    const turns = Array.from({ length: 3 }, () => ({ role: "user", content: "x".repeat(1024 * 1024) }));
    const body = chat({ messages: [...turns, { role: "user", content: "hi" }] });
    expect((await ask(port, PATH, { body })).body).toContain('"content":"3"');
    const socket = await dial(port);
    socket.write(
      `POST ${PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${4 * 1024 * 1024 + 1}\r\n\r\n`,
    );
    expect(await readUntil(socket, "\r\n\r\n")).toContain("413");
  });
});

describe("a chat completion's stream", () => {
  const text: RunEvent = { kind: "text", sequence: 1, text: "hé\u2028" };
  const done: RunEvent = { kind: "done", sequence: 3, finishReason: "stop", usage };

  it("begins with the role, and ends with the reason and its mark", async () => {
    const { headers, body } = await stream([text, { kind: "keepalive" }, done]);
    expect(headers).toMatchObject({ "content-type": "text/event-stream", "x-request-id": "r1" });
    const head = {
      id: "chatcmpl-r1",
      object: "chat.completion.chunk",
      created: expect.any(Number) as number,
      model: "a1",
    };
    const chunk = (delta: object, reason: string | null = null) => ({
      ...head,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }],
    });
    expect(dataOf(body)).toEqual([
      chunk({ role: "assistant", content: "", refusal: null }),
      chunk({ content: "hé\u2028" }),
      chunk({}, "stop"),
      "[DONE]",
    ]);
    expect(body).toContain("\n: keepalive\n");
    expect(body).not.toContain("\u2028");
  });

  it("has the usage last, if the client asks for it and the agent tells it", async () => {
    const wanted = { stream_options: { include_usage: true } };
    const data = dataOf((await stream([text, done], wanted)).body) as {
      usage: unknown;
      choices: unknown[];
    }[];
    expect(data.at(-2)).toMatchObject({ choices: [], usage: { total_tokens: 5 } });
    expect(data.slice(0, -2).map((chunk) => chunk.usage)).toEqual([null, null, null]);
    const untold = dataOf((await stream([{ kind: "done", sequence: 1, finishReason: "stop" }], wanted)).body);
    expect(untold).toHaveLength(3);
  });

  it("numbers the calls of tools, and says that it waits for their results", async () => {
    const other: ToolCallEvent = { ...call, sequence: 3, callId: "c2" };
    const { body } = await stream([
      call,
      other,
      { kind: "done", sequence: 4, finishReason: "function_call" },
    ]);
    const choices = (
      dataOf(body).slice(0, -1) as { choices: { delta: object; finish_reason: unknown }[] }[]
    ).map((chunk) => chunk.choices[0]);
    expect(choices[1]?.delta).toEqual({
      tool_calls: [
        { index: 0, id: "c1", type: "function", function: { name: "look", arguments: '{"q":1}' } },
      ],
    });
    expect(choices[2]?.delta).toMatchObject({ tool_calls: [{ index: 1, id: "c2" }] });
    expect(choices[3]?.finish_reason).toBe("tool_calls");
  });

  it.each([
    ["length", "length"],
    ["content_filter", "content_filter"],
    ["", "unknown"],
    ["<made up by the guest>", "unknown"],
  ])("tells no reason that is no word: %s", async (finishReason, told) => {
    const { body } = await stream([{ kind: "done", sequence: 1, finishReason }]);
    expect(dataOf(body).at(-2)).toMatchObject({ choices: [{ finish_reason: told }] });
  });

  it("that fails before its first event is an error with a status", async () => {
    const run = fakeRun();
    run.fail(
      new ValinorError("TOOL_BLOCKED", "tool look is blocked", {
        metadata: { request_id: "r1", sequence: "1" },
      }),
    );
    const { port } = await serveRest(streamCore(run).core);
    const answer = await ask(port, PATH, { body: chat({ stream: true }) });
    expect(answer).toMatchObject({
      status: 403,
      headers: { "x-request-id": "r1", "x-should-retry": "false" },
    });
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: "tool_blocked" } });
  });

  it.each(["fail", "end"] as const)("that breaks later (%s) has an error in it, and no mark", async (how) => {
    const run = fakeRun();
    run.push(text);
    if (how === "fail")
      run.fail(new ValinorError("AGENT_ERROR", "it broke", { metadata: { code: "read_error" } }));
    else run.end();
    const { port } = await serveRest(streamCore(run).core);
    const { status, body } = await ask(port, PATH, { body: chat({ stream: true }) });
    expect(status).toBe(200);
    const code = how === "fail" ? "read_error" : "run_interrupted";
    expect(dataOf(body).at(-1)).toMatchObject({ error: { type: "server_error", param: null, code } });
  });

  it("closes its run when the client leaves, before the first event too", async () => {
    const runs = [fakeRun(), fakeRun()];
    runs[1]?.push(text);
    const { port } = await serveRest(streamCore(...runs).core);
    for (const [index, run] of runs.entries()) {
      const req = request({ port, path: PATH, method: "POST", agent: false });
      req.on("error", () => {});
      req.end(chat({ stream: true }));
      if (index === 1) await once(req, "response");
      else while (run.nexts() === 0) await sleep(2);
      req.destroy();
      await run.closed;
      expect(run.closes()).toBe(1);
    }
  });

  it("drops a client that takes nothing, and closes its run", async () => {
    const run = fakeRun();
    const big: RunEvent = { kind: "text", sequence: 1, text: "x".repeat(8 * 1024 * 1024) };
    run.push(big);
    const { port } = await serveRest(streamCore(run).core, { clientStallMs: 100 });
    const socket = await dial(port);
    socket.pause();
    const body = chat({ stream: true });
    socket.write(`POST ${PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    await run.closed;
    expect(run.nexts()).toBe(1);
  });
});

describe("models on OpenAI's routes", () => {
  const view = (id: string) => ({ agent: { ...agent, id, createTime: new Date(5_000) } }) as AgentStatusView;

  it("are the agents, over all pages", async () => {
    const core = fakeCore({
      listAgents: (_caller, { pageToken }) =>
        Promise.resolve({ agents: [view(`a${pageToken}`)], nextPageToken: pageToken === "" ? "2" : "" }),
    });
    const { port } = await serveRest(core);
    expect(JSON.parse((await ask(port, "/v1/models")).body)).toEqual({
      object: "list",
      data: ["a", "a2"].map((id) => ({ id, object: "model", created: 5, owned_by: "valinor" })),
    });
  });

  it("end before the list does", async () => {
    const listAgents = () => Promise.resolve({ agents: [view("a")], nextPageToken: "more" });
    const { port } = await serveRest(fakeCore({ listAgents }));
    expect(JSON.parse((await ask(port, "/v1/models")).body).data).toHaveLength(100);
  });

  it("are found by their id", async () => {
    const { port } = await serveRest(fakeCore({ getAgent: (_caller, id) => Promise.resolve(view(id)) }));
    expect(JSON.parse((await ask(port, "/v1/models/a%2D1")).body)).toMatchObject({
      id: "a-1",
      object: "model",
    });
  });
});

describe("an error on OpenAI's routes", () => {
  /** How an error is told to a client with these headers. */
  async function told(error: ValinorError, headers: Record<string, string> = {}) {
    const { port } = await serve((req, res) => writeOpenAIError(res, error, req));
    return ask(port, "/", { headers });
  }

  it.each(reasons)("has the status of its reason and OpenAI's four keys: %s", async (reason) => {
    const answer = await told(new ValinorError(reason, "words"));
    expect(answer.status).toBe(errorRow(reason).status);
    const { error } = JSON.parse(answer.body) as { error: { code: string } };
    expect(Object.keys(error)).toEqual(["message", "type", "param", "code"]);
    expect(error.code).toMatch(/^[a-z_]+$/);
    expect(answer.headers["x-should-retry"]).toMatch(/^(true|false)$/);
  });

  it.each([
    ["AGENT_NOT_FOUND", "invalid_request_error", "model", "model_not_found"],
    ["UNAUTHENTICATED", "invalid_request_error", null, "invalid_api_key"],
    ["RATE_LIMITED", "rate_limit_error", null, "rate_limit_exceeded"],
    ["AGENT_BUSY", "rate_limit_error", null, "agent_busy"],
    ["AGENT_UNREACHABLE", "server_error", null, "agent_unreachable"],
  ] as const)("is called as OpenAI calls it: %s", async (reason, type, param, code) => {
    const { body } = await told(new ValinorError(reason, "words"));
    expect(JSON.parse(body)).toEqual({ error: { message: "words", type, param, code } });
  });

  it.each([
    ["AGENT_BUSY", {}, "true"],
    ["AGENT_UNREACHABLE", {}, "true"],
    ["RUN_INTERRUPTED", {}, "false"],
    ["RUN_INTERRUPTED", { "idempotency-key": "k" }, "true"],
    ["AGENT_TIMEOUT", { "idempotency-key": "k" }, "false"],
    ["AGENT_ERROR", {}, "false"],
    ["REQUEST_ID_REUSED", { "idempotency-key": "k" }, "false"],
  ] as const)("is retried only if nothing runs twice: %s %j: %s", async (reason, headers, retry) => {
    expect((await told(new ValinorError(reason, "words"), headers)).headers["x-should-retry"]).toBe(retry);
  });

  it("says when to retry", async () => {
    const { headers } = await told(new ValinorError("RATE_LIMITED", "words", { retryMs: 1_200 }));
    expect(headers).toMatchObject({ "retry-after": "2", "retry-after-ms": "1200" });
  });

  it.each([
    ["POST", PATH, "", 400, "invalid_argument"],
    ["POST", PATH, "not json", 400, "invalid_argument"],
    ["POST", PATH, "[]", 400, "invalid_argument"],
    ["POST", PATH, "null", 400, "invalid_argument"],
    ["POST", PATH, "[".repeat(70), 400, "invalid_argument"],
    ["POST", PATH, `{"messages":[${"[],".repeat(100_000)}[]]}`, 400, "invalid_argument"],
    ["POST", PATH, chat({ n: 2 }), 400, "unsupported_value"],
    ["POST", PATH, chat({ __proto__: null, toString: 1, model: "nobody at all" }), 404, "model_not_found"],
    ["GET", PATH, undefined, 405, "method_not_allowed"],
    ["DELETE", "/v1/models/a1", undefined, 405, "method_not_allowed"],
    ["POST", "/v1/embeddings", "{}", 404, "not_found"],
    ["GET", "/v1", undefined, 404, "not_found"],
    ["GET", "/v1/models/%zz", undefined, 400, "invalid_value"],
    ["POST", `/api${PATH}`, "{}", 404, undefined],
  ] as const)("is in OpenAI's shape: %s %s %.20s: %s %s", async (method, path, body, status, code) => {
    const { port } = await serveRest(fakeCore({}));
    const answer = await ask(port, path, { method, ...(body !== undefined && { body }) });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body).error?.code).toBe(code);
  });

  it("of a caller who may not is in OpenAI's shape as well", async () => {
    const identify = () => {
      throw new ValinorError("UNAUTHENTICATED", "who are you?");
    };
    const { port } = await serveRest(fakeCore({}), { identify });
    const answer = await ask(port, PATH, { body: chat() });
    expect(answer).toMatchObject({ status: 401, headers: { "www-authenticate": "Bearer" } });
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: "invalid_api_key" } });
  });
});

it("an error of the server's own in a stream of chunks is logged, and told to the client without its text", async () => {
  const run = fakeRun();
  const logged: object[] = [];
  const logger = { warn: () => {}, error: (fields: object) => void logged.push(fields) };
  const { port } = await serveRest(streamCore(run).core, { logger });
  const bug = new TypeError("undefined is not a function");
  run.push({ kind: "text", sequence: 1, text: "he" });
  run.fail(bug);
  const { body } = await ask(port, PATH, { body: chat({ stream: true }) });
  expect(body).toContain('"message":"internal error"');
  expect(logged).toEqual([{ err: bug }]);
});
