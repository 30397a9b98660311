import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ValinorError } from "../../../src/core/errors.ts";
import { readChatRequest } from "../../../src/http/openai/request.ts";

const user = (content: unknown) => ({ role: "user", content });
const system = { role: "system", content: "be brief" };
const look = { id: "c1", type: "function", function: { name: "look", arguments: "{}" } };
const calling = { role: "assistant", content: null, tool_calls: [look] };
const result = { role: "tool", tool_call_id: "c1", content: "sunny" };
const tool = (name: string) => ({ type: "function", function: { name, parameters: { type: "object" } } });

/** Reads a request that says "hi" to a1, with more keys or other ones. */
function read(more: object = {}, headers: Record<string, string> = {}) {
  return readChatRequest({ model: "a1", messages: [user("hi")], ...more }, headers);
}

/** What is refused, and for which parameter. */
function refused(more: object, headers?: Record<string, string>): ValinorError {
  try {
    read(more, headers);
  } catch (error) {
    if (error instanceof ValinorError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("the messages of a chat", () => {
  const chat = [
    system,
    user("weather?"),
    calling,
    result,
    user("thanks"),
    { role: "assistant", content: "!" },
    user("hi"),
  ];

  it("are a history and a last turn if no user is named", () => {
    const { input } = read({ messages: chat });
    expect(input.message).toMatchObject({ role: "user", content: "hi" });
    expect(input.message.history).toEqual([
      system,
      user("weather?"),
      { role: "assistant", content: "", tool_calls: [look] },
      result,
      user("thanks"),
      { role: "assistant", content: "!" },
    ]);
    expect(input.conversationId).toBe("");
  });

  it.each([
    ["a user's message: alone, with the instructions", chat, { role: "user", content: "hi" }, [system]],
    [
      "a tool's result: with the call that it answers",
      chat.slice(0, 4),
      { role: "tool", content: "sunny", toolCallId: "c1" },
      [system, { ...calling, content: "" }],
    ],
    [
      "several results: with the call that they answer",
      [user("?"), calling, result, { ...result, tool_call_id: "c2", content: "" }],
      { role: "tool", content: "", toolCallId: "c2" },
      [{ ...calling, content: "" }, result],
    ],
    [
      "a user who goes on before a tool's result was answered: with call and result",
      [user("?"), calling, result, user("well?")],
      { role: "user", content: "well?" },
      [{ ...calling, content: "" }, result],
    ],
    ["a result without its call", [result], { role: "tool", content: "sunny", toolCallId: "c1" }, []],
    ["instructions behind the last turn", [user("hi"), system], { role: "user", content: "hi" }, [system]],
  ])("of a lasting conversation are what it lacks; %s", (_, messages, message, history) => {
    const { input } = read({ user: "ann", messages });
    const { wholeHistory, ...rest } = input.message;
    expect(rest).toEqual({ ...message, history });
    expect(input.conversationId).toBe("ann");
    // All of it goes along for an agent whose server keeps no conversations.
    const others = messages.filter(
      (turn) => turn["content"] !== message.content || turn["role"] !== message.role,
    );
    expect(wholeHistory ?? history).toHaveLength(others.length);
  });

  it("may have their text in parts", () => {
    const parts = [
      { type: "text", text: "a" },
      { type: "text", text: "b" },
    ];
    expect(read({ messages: [user(parts)] }).input.message.content).toBe("a\nb");
    const assistant = { role: "assistant", content: [{ type: "refusal", refusal: "no" }] };
    expect(read({ messages: [assistant, user("hi")] }).input.message.history).toEqual([
      { role: "assistant", content: "no" },
    ]);
  });

  it("pass on names, and nothing that is not known", () => {
    const { history } = read({
      messages: [{ ...system, name: "boss", cache_control: {}, audio: null }, user("hi")],
    }).input.message;
    expect(history).toEqual([{ ...system, name: "boss" }]);
  });

  it.each([
    ["no list", "hi", "messages"],
    ["an empty list", [], "messages"],
    ["too many", Array.from({ length: 1_001 }, () => user("x")), "messages"],
    ["no objects", ["hi"], "messages[0]"],
    ["a role of its own", [{ role: "root", content: "x" }], "messages[0].role"],
    ["the old role of functions", [{ role: "function", name: "f", content: "x" }], "messages[0].role"],
    ["only instructions", [system], "messages"],
    ["the assistant's word last", [user("hi"), { role: "assistant", content: "I" }], "messages"],
    ["an empty last turn", [user("")], "messages[0].content"],
    ["no content", [{ role: "user" }], "messages[0].content"],
    ["content that is a number", [user(1)], "messages[0].content"],
    [
      "an image",
      [user([{ type: "image_url", image_url: { url: "http://10.0.0.1" } }])],
      "messages[0].content[0]",
    ],
    ["a part of null", [user([null])], "messages[0].content[0]"],
    ["a refusal of a user", [user([{ type: "refusal", refusal: "x" }])], "messages[0].content[0]"],
    ["a result without an id", [{ role: "tool", content: "x" }], "messages[0].tool_call_id"],
    ["a result with a long id", [{ ...result, tool_call_id: "x".repeat(257) }], "messages[0].tool_call_id"],
    ["calls that are no list", [{ ...calling, tool_calls: {} }, result], "messages[0].tool_calls"],
    [
      "a call without a function",
      [{ ...calling, tool_calls: [{ id: "c" }] }, result],
      "messages[0].tool_calls[0]",
    ],
    [
      "a custom call",
      [{ ...calling, tool_calls: [{ id: "c", type: "custom" }] }, result],
      "messages[0].tool_calls[0]",
    ],
    [
      "an old function call",
      [{ role: "assistant", function_call: { name: "f" } }, user("x")],
      "messages[0].function_call",
    ],
  ])("are refused if they have %s", (_, messages, param) => {
    expect(refused({ messages })).toMatchObject({ reason: "INVALID_ARGUMENT", metadata: { param } });
  });
});

describe("tools of a chat completion", () => {
  it("are passed on as they are, with the choice", () => {
    const tools = [tool("a"), tool("b")];
    expect(read({ tools }).input.message).toMatchObject({ tools });
    for (const choice of ["none", "auto", "required", { type: "function", function: { name: "b" } }]) {
      expect(read({ tools, tool_choice: choice }).input.message.toolChoice).toEqual(choice);
    }
  });

  it.each([
    [{ tools: [] }],
    [{ tools: null, tool_choice: null }],
    [{ tool_choice: "auto" }],
    [{ tool_choice: "none" }],
  ])("are none in %j", (more) => {
    expect(Object.keys(read(more).input.message)).toEqual(["role", "content", "history"]);
  });

  it.each([
    ["no list", { tools: {} }, "tools"],
    ["more than 128", { tools: Array.from({ length: 129 }, (_, index) => tool(`t${index}`)) }, "tools"],
    ["one that is no object", { tools: ["a"] }, "tools[0].type"],
    ["one that is no function", { tools: [tool("a"), { type: "custom" }] }, "tools[1].type"],
    ["one without a name", { tools: [{ type: "function", function: {} }] }, "tools[0].function.name"],
    ["a name that is no word", { tools: [tool("a b")] }, "tools[0].function.name"],
    ["a name twice", { tools: [tool("a"), tool("a")] }, "tools"],
    ["a choice without tools", { tool_choice: "required" }, "tool_choice"],
    [
      "a choice of another tool",
      { tools: [tool("a")], tool_choice: { type: "function", function: { name: "b" } } },
      "tool_choice",
    ],
    [
      "a choice that is not known",
      { tools: [tool("a")], tool_choice: { type: "allowed_tools" } },
      "tool_choice",
    ],
  ])("are refused if there is %s", (_, more, param) => {
    expect(refused(more)).toMatchObject({ reason: "INVALID_ARGUMENT", metadata: { param } });
  });
});

describe("a parameter of a chat completion", () => {
  it.each([
    { temperature: 2, top_p: 0, max_tokens: 1, max_completion_tokens: 1, seed: 1, frequency_penalty: 1 },
    { presence_penalty: 1, logit_bias: { 1: 1 }, metadata: { a: "b" }, store: true, service_tier: "auto" },
    { reasoning_effort: "low", prompt_cache_key: "k", safety_identifier: "s", what_comes_next_year: {} },
    {
      n: 1,
      stop: null,
      logprobs: false,
      response_format: { type: "text" },
      parallel_tool_calls: true,
      modalities: ["text"],
    },
  ])("that changes nothing is ignored: %j", (more) => {
    expect(read(more)).toEqual(read());
  });

  it.each([
    ["n", 2],
    ["n", "1"],
    ["stop", "x"],
    ["stop", ["x"]],
    ["logprobs", true],
    ["top_logprobs", 2],
    ["response_format", { type: "json_object" }],
    ["parallel_tool_calls", false],
    ["modalities", ["text", "audio"]],
    ["audio", { voice: "alloy" }],
    ["functions", []],
    ["function_call", "auto"],
    ["web_search_options", {}],
    ["user", 1],
    ["stream", "yes"],
    ["stream_options", "usage"],
    ["model", undefined],
    ["model", 1],
  ])("that would change the answer is refused: %s %j", (param, value) => {
    expect(refused({ [param]: value })).toMatchObject({ reason: "INVALID_ARGUMENT", metadata: { param } });
  });

  it.each(["no such agent", "../admin", "a".repeat(64), "x".repeat(100_000), "\u0000"])(
    "that names no agent is one that is not found, and not repeated",
    (model) => {
      const error = refused({ model });
      expect(error.reason).toBe("AGENT_NOT_FOUND");
      expect(error.message).not.toContain(model);
    },
  );
});

describe("the names of conversation and run", () => {
  const digest = (text: string) => createHash("sha256").update(text).digest("hex");

  it.each([
    ["ann.1", "ann.1"],
    ["ann@example.com", `user-${digest("ann@example.com")}`],
    ["x".repeat(129), `user-${digest("x".repeat(129))}`],
    ["", ""],
  ])("user %s", (name, conversationId) => {
    expect(read({ user: name }).input.conversationId).toBe(conversationId);
  });

  it.each([
    ["stainless-node-retry-1", "stainless-node-retry-1"],
    ["a key/with=more", `key-${digest("a key/with=more")}`],
  ])("Idempotency-Key %s", (key, requestId) => {
    expect(read({}, { "idempotency-key": key }).input.requestId).toBe(requestId);
  });

  it("are made by the server if the client names none, and its run ends when it leaves", () => {
    expect(read().input).toMatchObject({ requestId: "", onDisconnect: "cancel", allowStaleConfig: false });
    expect(read({}, { "x-valinor-on-disconnect": "continue" }).input.onDisconnect).toBe("continue");
    expect(refused({}, { "x-valinor-on-disconnect": "no" }).reason).toBe("INVALID_ARGUMENT");
  });
});
