import { call, chunks, cut, type Row, stream, whole } from "./row.ts";

const head = {
  id: "chatcmpl-Bx1",
  object: "chat.completion.chunk",
  created: 1767225600,
  model: "gpt-5-mini",
  service_tier: "default",
  system_fingerprint: "fp_1a2b",
};
const { chunk, text, calls, end, usage } = chunks(head);
const role = chunk({ role: "assistant", content: "", refusal: null });

/** Answers of OpenAI's own service. */
export const openai: readonly Row[] = [
  {
    name: "a stream with its usage in a last object without choices",
    body: stream(role, text("Blue"), text(" sky"), end("stop"), usage(9, 2, 11)),
    sees: { text: "Blue sky", finish: "stop", usage: [9, 2, 11] },
  },
  {
    name: "an answer in one piece",
    body: whole(head, { content: "Blue sky", refusal: null, annotations: [] }, "stop", {
      usage: {
        prompt_tokens: 9,
        completion_tokens: 2,
        total_tokens: 11,
        completion_tokens_details: { reasoning_tokens: 0 },
      },
    }),
    sees: { text: "Blue sky", finish: "stop", usage: [9, 2, 11] },
  },
  {
    name: "two calls side by side, each with arguments in many pieces",
    body: stream(
      chunk({ role: "assistant", content: null, tool_calls: [call(0, "call_a", "weather", "")] }),
      calls(call(0, undefined, undefined, '{"ci')),
      calls(call(0, undefined, undefined, 'ty":"Oslo"}')),
      calls(call(1, "call_b", "clock", "")),
      calls(call(1, undefined, undefined, "{}")),
      end("tool_calls"),
    ),
    sees: {
      calls: [
        { id: "call_a", name: "weather", args: '{"city":"Oslo"}' },
        { id: "call_b", name: "clock", args: "{}" },
      ],
      finish: "tool_calls",
    },
  },
  {
    name: "two calls whose pieces take turns",
    body: stream(
      calls(call(0, "call_a", "add", ""), call(1, "call_b", "mul", "")),
      calls(call(0, undefined, undefined, '{"x"')),
      calls(call(1, undefined, undefined, '{"y"')),
      calls(call(0, undefined, undefined, ":1}")),
      calls(call(1, undefined, undefined, ":2}")),
      end("tool_calls"),
    ),
    sees: {
      calls: [
        { id: "call_a", name: "add", args: '{"x":1}' },
        { id: "call_b", name: "mul", args: '{"y":2}' },
      ],
      finish: "tool_calls",
    },
  },
  {
    name: "a call in one piece that the policy does not list",
    body: whole(
      head,
      { content: null, tool_calls: [call(undefined, "call_a", "erase", "{}")] },
      "tool_calls",
    ),
    tools: ["weather"],
    sees: { blocked: "erase" },
  },
  {
    name: "a call of the old form",
    body: stream(
      chunk({ role: "assistant", content: null, function_call: { name: "weather", arguments: "" } }),
      chunk({ function_call: { arguments: '{"city":' } }),
      chunk({ function_call: { arguments: '"Oslo"}' } }),
      end("function_call"),
    ),
    sees: { calls: [{ name: "weather", args: '{"city":"Oslo"}' }], finish: "function_call" },
  },
  {
    name: "a refusal in a stream",
    body: stream(role, chunk({ refusal: "I won't " }), chunk({ refusal: "do that." }), end("stop")),
    sees: { text: "I won't do that.", finish: "stop" },
  },
  {
    name: "a refusal in one piece",
    body: whole(head, { content: null, refusal: "No." }, "stop"),
    sees: { text: "No.", finish: "stop" },
  },
  {
    name: "several choices, of which the first is taken",
    body: stream(
      { ...head, choices: [{ index: 1, delta: { content: "second" }, finish_reason: null }] },
      text("first"),
      { ...head, choices: [{ index: 1, delta: {}, finish_reason: "length" }] },
      end("stop"),
    ),
    sees: { text: "first", finish: "stop" },
  },
  {
    name: "an answer that was cut by max_tokens while the model was thinking",
    body: whole(head, { content: "", refusal: null }, "length", {
      usage: { prompt_tokens: 9, completion_tokens: 16, total_tokens: 25 },
    }),
    sees: {
      code: "empty_response",
      says: "the model's answer holds neither text nor a tool call (finish_reason length)",
    },
  },
  {
    name: "a wrong key",
    status: 401,
    body: JSON.stringify({
      error: {
        message: "Incorrect API key provided: sk-a***z.",
        type: "invalid_request_error",
        param: null,
        code: "invalid_api_key",
      },
    }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 401: Incorrect API key provided: sk-a***z." },
  },
  {
    name: "a rate limit with the time to wait",
    status: 429,
    headers: { "content-type": "application/json", "retry-after": "20" },
    body: JSON.stringify({
      error: { message: "Too many tokens a minute.", type: "tokens", code: "rate_limit_exceeded" },
    }),
    sees: {
      code: "openclaw_error",
      says: "OpenClaw answered 429: Too many tokens a minute.; it asks to wait 20 s",
    },
  },
  {
    name: "a path that is not there",
    status: 404,
    body: JSON.stringify({
      error: { message: "Invalid URL", type: "invalid_request_error", param: null, code: null },
    }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 404 to POST /v1/chat/completions: Invalid URL" },
  },
  {
    name: "an error in the midst of a stream",
    body: cut(role, text("Blue"), { error: { message: "The server had an error.", type: "server_error" } }),
    sees: { text: "Blue", code: "openclaw_error", says: "OpenClaw reports: The server had an error." },
  },
  {
    name: "a stream whose connection ends after text",
    body: cut(role, text("Blue")),
    sees: { text: "Blue", code: "truncated", says: "the model's answer is not complete" },
  },
  {
    name: "a stream whose connection is reset after text",
    body: cut(role, text("Blue")),
    broken: true,
    sees: { text: "Blue", code: "read_error", says: "the model's answer broke off" },
  },
];
