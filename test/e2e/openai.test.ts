import { randomUUID } from "node:crypto";
import OpenAI from "openai";
import type { RunnableToolFunctionWithParse } from "openai/lib/RunnableFunction";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { ToolPolicy_Mode } from "../../gen/ts/valinor/v1/types_pb.ts";
import { until } from "../helpers/until.ts";
import { KEY_RUNS, type OpenAIStack, startOpenAIStack } from "./openai-stack.ts";

type Params = Omit<OpenAI.ChatCompletionCreateParamsNonStreaming, "model" | "messages">;
type Turn = OpenAI.ChatCompletionMessageParam;

let stack: OpenAIStack;
let client: OpenAI;

beforeAll(async () => {
  stack = await startOpenAIStack();
  client = new OpenAI({ baseURL: stack.baseURL, apiKey: await stack.key("operator") });
});

/** What the model was asked last. */
const seen = () => stack.model.requests.at(-1);

const user = (content: string): Turn => ({ role: "user", content });
const look: OpenAI.ChatCompletionTool = {
  type: "function",
  function: { name: "look", parameters: { type: "object", properties: { at: { type: "string" } } } },
};

function complete(messages: Turn[] | string, more: Params = {}, options: OpenAI.RequestOptions = {}) {
  const turns = typeof messages === "string" ? [user(messages)] : messages;
  return client.chat.completions.create({ model: "demo", messages: turns, ...more }, options);
}

function stream(text: string, more: Params = {}, options: OpenAI.RequestOptions = {}) {
  const params = { model: "demo", messages: [user(text)], ...more, stream: true as const };
  return client.chat.completions.create(params, options);
}

describe("the official OpenAI client for JavaScript", () => {
  it("gets a completion with its usage and the run's name", async () => {
    const completion = await complete("!echo hi there");
    expect(completion).toMatchObject({
      object: "chat.completion",
      model: "demo",
      choices: [{ index: 0, message: { role: "assistant", content: "hi there" }, finish_reason: "stop" }],
      usage: { completion_tokens: 2 },
    });
    const { _request_id: requestId } = completion;
    expect(completion.id).toBe(`chatcmpl-${requestId}`);
  });

  it("reads a stream with its usage", async () => {
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    const params = { stream_options: { include_usage: true } };
    for await (const chunk of await stream("!words 40", params)) chunks.push(chunk);
    const deltas = chunks.map(({ choices }) => choices[0]?.delta);
    expect(deltas[0]).toMatchObject({ role: "assistant" });
    const words = Array.from({ length: 40 }, (_, index) => `word${index + 1}`);
    expect(deltas.map((delta) => delta?.content ?? "").join("")).toBe(words.join(" "));
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("stop");
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 40 } });
  });

  it("puts a stream together to the same completion", async () => {
    const runner = client.chat.completions.stream({ model: "demo", messages: [user("!echo one two three")] });
    const whole = await runner.finalChatCompletion();
    expect(whole.choices[0]).toMatchObject({ message: { content: "one two three" }, finish_reason: "stop" });
  });

  it("lists the agents as models, and finds one", async () => {
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["demo"]);
    expect(await client.models.retrieve("demo")).toMatchObject({ id: "demo", object: "model" });
  });
});

describe("the tools of a client", () => {
  const lookTool: RunnableToolFunctionWithParse<{ at: string }> = {
    type: "function",
    function: {
      name: "look",
      description: "looks somewhere",
      parse: JSON.parse as (text: string) => { at: string },
      function: ({ at }) => `the ${at} is blue`,
      parameters: { type: "object", properties: { at: { type: "string" } } },
    },
  };
  const params = { model: "demo", messages: [user('!tool look {"at":"sky"}')], tools: [lookTool] };

  it.each([
    ["whole", () => client.chat.completions.runTools(params)],
    ["streamed", () => client.chat.completions.runTools({ ...params, stream: true })],
  ])("are called, and their results passed back for the answer (%s)", async (_, run) => {
    expect(await run().finalContent()).toBe('The tool answered: "the sky is blue".');
    expect(seen()).toMatchObject({
      tools: ["look"],
      messages: [{ role: "user" }, { role: "assistant" }, { role: "tool", text: "the sky is blue" }],
    });
  });

  it("in a lasting conversation go on where the call was: the results are sent, and the call that they answer", async () => {
    const run = client.chat.completions.runTools({ ...params, user: randomUUID() });
    expect(await run.finalContent()).toBe('The tool answered: "the sky is blue".');
    expect(seen()?.messages.map(({ role }) => role)).toEqual(["user", "assistant", "tool"]);
  });

  it("are refused before the model is asked if the agent's policy does not list them", async () => {
    const push = (tools: string[], mode: ToolPolicy_Mode = ToolPolicy_Mode.LISTED) =>
      stack.proxy.pushConfig({ agentId: "demo", config: {}, toolPolicy: { mode, tools } });
    onTestFinished(async () => void (await push([], ToolPolicy_Mode.ALL)));
    await push(["read"]);
    const { calls } = stack.model;
    const refused = { status: 403, code: "tool_blocked", message: expect.stringContaining("look") as string };
    await expect(complete("hi", { tools: [look] })).rejects.toMatchObject(refused);
    await expect(stream("hi", { tools: [look] })).rejects.toThrow(OpenAI.PermissionDeniedError);
    expect(stack.model.calls).toBe(calls);
    await push(["read", "client:look"]);
    expect((await complete("!tool look", { tools: [look] })).choices[0]?.finish_reason).toBe("tool_calls");
  });
});

describe("a conversation", () => {
  const chat: Turn[] = [
    { role: "system", content: "be brief" },
    user("my name is Ann"),
    { role: "assistant", content: "hello Ann" },
    user("!echo what is my name?"),
  ];

  it("by user has its whole history all the same if the agent's server keeps none", async () => {
    const name = `ann+${randomUUID()}@example.com`;
    await complete(chat.slice(0, 2), { user: name });
    const first = seen();
    await complete(chat, { user: name });
    expect(seen()?.messages).toEqual([
      { role: "system", text: "be brief" },
      { role: "user", text: "my name is Ann" },
      { role: "assistant", text: "hello Ann" },
      { role: "user", text: "!echo what is my name?" },
    ]);
    expect(seen()?.user).toBe(first?.user);
    await complete(chat, { user: `${name}.` });
    expect(seen()?.user).not.toBe(first?.user);
  });

  it("is of the key's subject alone", async () => {
    const other = client.withOptions({ apiKey: await stack.key("operator") });
    await complete("hi", { user: "shared" });
    const mine = seen()?.user;
    await other.chat.completions.create({ model: "demo", user: "shared", messages: [user("hi")] });
    expect(mine).toBeDefined();
    expect(seen()?.user).not.toBe(mine);
  });

  it("without user is fresh, and has the whole history", async () => {
    const { choices } = await complete(chat);
    expect(choices[0]?.message.content).toBe("what is my name?");
    expect(seen()).toMatchObject({ user: undefined, messages: chat.map(({ role }) => ({ role })) });
  });
});

describe("a client that leaves", () => {
  it.each([
    ["aborts", (left: AbortController) => left.abort()],
    ["stops reading", undefined],
  ])("a stream (%s) ends the run in the guest", async (_, leave) => {
    const { aborted } = stack.model;
    const left = new AbortController();
    const chunks = await stream("!words 1000 !pace 20", {}, { signal: left.signal });
    const read = async () => {
      for await (const { choices } of chunks) {
        if ((choices[0]?.delta.content ?? "") === "") continue;
        if (leave === undefined) return;
        leave(left);
      }
    };
    await read().catch((error: unknown) => {
      if (!(error instanceof OpenAI.APIUserAbortError)) throw error;
    });
    await until("the model's call is gone", () => stack.model.aborted === aborted + 1);
    await until("the run is over", async () => {
      const { inFlight } = await stack.proxy.getAgentStatus({ agentId: "demo" });
      return inFlight === 0;
    });
    expect(stack.model.active).toBe(0);
  });

  it("a call that is not streamed ends it as well", async () => {
    const { aborted } = stack.model;
    const left = new AbortController();
    const answer = complete("!stall 60", {}, { signal: left.signal });
    await until("the model works", () => stack.model.active === 1);
    left.abort();
    await expect(answer).rejects.toThrow(OpenAI.APIUserAbortError);
    await until("the model's call is gone", () => stack.model.aborted === aborted + 1);
  });
});

describe("an error is of the class that it is", () => {
  it("401 AuthenticationError", async () => {
    const stranger = client.withOptions({ apiKey: "sk-made-up" });
    await expect(stranger.models.list()).rejects.toThrow(OpenAI.AuthenticationError);
    await expect(
      stranger.chat.completions.create({ model: "demo", messages: [user("hi")] }),
    ).rejects.toMatchObject({ status: 401, code: "invalid_api_key" });
  });

  it("403 PermissionDeniedError", async () => {
    const viewer = client.withOptions({ apiKey: await stack.key("viewer") });
    expect((await viewer.models.list()).data).toHaveLength(1);
    await expect(viewer.chat.completions.create({ model: "demo", messages: [user("hi")] })).rejects.toThrow(
      OpenAI.PermissionDeniedError,
    );
  });

  it("404 NotFoundError", async () => {
    const error = { constructor: OpenAI.NotFoundError, code: "model_not_found", param: "model" };
    await expect(
      client.chat.completions.create({ model: "gpt-5", messages: [user("hi")] }),
    ).rejects.toMatchObject(error);
    await expect(client.models.retrieve("nobody")).rejects.toThrow(OpenAI.NotFoundError);
    await expect(client.embeddings.create({ model: "demo", input: "x" })).rejects.toThrow(
      OpenAI.NotFoundError,
    );
  });

  it("400 BadRequestError, with the parameter", async () => {
    const twice = { n: 2 };
    const error = { constructor: OpenAI.BadRequestError, param: "n", code: "unsupported_value" };
    await expect(complete("hi", twice)).rejects.toMatchObject(error);
    await expect(stream("hi", twice)).rejects.toMatchObject(error);
  });

  it("409 ConflictError, if an idempotency key names another message", async () => {
    const options = { headers: { "Idempotency-Key": randomUUID() } };
    await complete("!echo one", {}, options);
    await expect(complete("!echo two", {}, options)).rejects.toThrow(OpenAI.ConflictError);
  });

  it("429 RateLimitError, and the call is repeated by itself when there is room again", async () => {
    const busy = client.withOptions({ apiKey: await stack.key("operator") });
    const ask = (text: string, options: OpenAI.RequestOptions = {}) =>
      busy.chat.completions.create({ model: "demo", messages: [user(text)] }, options);
    const left = new AbortController();
    const runs = Array.from({ length: KEY_RUNS }, () =>
      ask("!stall 60", { signal: left.signal }).catch(() => {}),
    );
    await until("the runs have begun", () => stack.model.active === KEY_RUNS);
    await expect(ask("hi", { maxRetries: 0 })).rejects.toThrow(OpenAI.RateLimitError);
    const patient = ask("!echo at last", { maxRetries: 5 });
    left.abort();
    await Promise.all(runs);
    expect((await patient).choices[0]?.message.content).toBe("at last");
  });

  it("5xx InternalServerError, and the run is not repeated", async () => {
    const { calls } = stack.model;
    const error = { constructor: OpenAI.InternalServerError, status: 502, code: "openclaw_error" };
    await expect(complete("!fail 500")).rejects.toMatchObject(error);
    await expect(stream("!fail 500")).rejects.toMatchObject(error);
    expect(stack.model.calls).toBe(calls + 2);
  });

  it("an APIError in the middle of a stream", async () => {
    const chunks = await stream("!words 10 !cut");
    const read = async () => {
      for await (const { choices } of chunks) expect(choices[0]?.finish_reason).toBeNull();
    };
    await expect(read()).rejects.toMatchObject({ constructor: OpenAI.APIError, code: "read_error" });
  });
});

describe("an idempotency key", () => {
  it("runs the message once, whoever asks again", async () => {
    const { calls } = stack.model;
    const options = { headers: { "Idempotency-Key": `order 66/${randomUUID()}` } };
    const answers = await Promise.all([1, 2].map(() => complete("!echo once", {}, options)));
    const again = await stream("!echo once", {}, options);
    let text = "";
    for await (const { choices } of again) text += choices[0]?.delta.content ?? "";
    expect(answers.map(({ choices }) => choices[0]?.message.content)).toEqual(["once", "once"]);
    expect(text).toBe("once");
    expect(stack.model.calls).toBe(calls + 1);
  });

  it("reads the run that a client left, if it was to go on", async () => {
    const { calls } = stack.model;
    const headers = { "Idempotency-Key": randomUUID(), "x-valinor-on-disconnect": "continue" };
    for await (const { choices } of await stream("!words 30 !pace 10", {}, { headers })) {
      if ((choices[0]?.delta.content ?? "") !== "") break;
    }
    const { choices } = await complete("!words 30 !pace 10", {}, { headers });
    expect(choices[0]?.message.content).toMatch(/^word1 .* word30$/);
    expect(stack.model.calls).toBe(calls + 1);
  });
});
