import { call, chunks, cut, type Row, stream, whole } from "./row.ts";

const head = {
  id: "chatcmpl-4f0e",
  object: "chat.completion.chunk",
  created: 1767225600,
  model: "Qwen/Qwen3-8B",
};
const { chunk, text, calls, end, usage } = chunks(head);

/** Answers of vLLM. */
export const vllm: readonly Row[] = [
  {
    name: "a stream with a count in each piece",
    body: stream(
      {
        ...chunk({ role: "assistant", content: "" }),
        usage: { prompt_tokens: 5, total_tokens: 5, completion_tokens: 0 },
      },
      { ...text("ok"), usage: { prompt_tokens: 5, total_tokens: 6, completion_tokens: 1 } },
      {
        ...chunk({ content: "" }, "stop", { stop_reason: null }),
        usage: { prompt_tokens: 5, total_tokens: 7, completion_tokens: 2 },
      },
    ),
    sees: { text: "ok", finish: "stop", usage: [5, 2, 7] },
  },
  {
    name: "thoughts under reasoning_content, then text",
    body: stream(
      chunk({ role: "assistant", reasoning_content: "Hm." }),
      text("42"),
      chunk({ content: "" }, "stop"),
    ),
    sees: { text: "42", finish: "stop" },
  },
  {
    name: "a call under a tool that was named, whose reason is stop",
    body: stream(
      calls(call(0, "chatcmpl-tool-1", "sum", "{")),
      calls(call(0, undefined, undefined, '"a":1}')),
      chunk({ content: "" }, "stop", { stop_reason: null }),
    ),
    sees: { calls: [{ id: "chatcmpl-tool-1", name: "sum", args: '{"a":1}' }], finish: "stop" },
  },
  {
    name: "an id made anew for each piece of a call",
    body: stream(
      calls(call(0, "chatcmpl-tool-1", "sum", "")),
      calls(call(0, "chatcmpl-tool-2", undefined, '{"a"')),
      calls(call(0, "chatcmpl-tool-3", undefined, ":1}")),
      end("tool_calls"),
    ),
    sees: { calls: [{ id: "chatcmpl-tool-1", name: "sum", args: '{"a":1}' }], finish: "tool_calls" },
  },
  {
    name: "an error in an object of its own",
    status: 400,
    body: JSON.stringify({
      object: "error",
      message: "maximum context length is 4096 tokens",
      type: "BadRequestError",
      param: null,
      code: 400,
    }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 400: maximum context length is 4096 tokens" },
  },
  {
    name: "the same error in a stream",
    body: stream(text("ok"), {
      object: "error",
      message: "engine is dead",
      type: "InternalServerError",
      code: 500,
    }),
    sees: { text: "ok", code: "openclaw_error", says: "OpenClaw reports: engine is dead" },
  },
  {
    name: "a field that is wrong, in a list of details",
    status: 422,
    body: JSON.stringify({
      detail: [{ type: "missing", loc: ["body", "messages"], msg: "Field required", input: {} }],
    }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 422: body.messages: Field required" },
  },
  {
    name: "an answer that was aborted",
    body: stream(text("ok"), chunk({ content: "" }, "abort")),
    sees: {
      text: "ok",
      code: "openclaw_error",
      says: "OpenClaw reports: the model ended with finish_reason abort",
    },
  },
];

/** Answers of SGLang. */
export const sglang: readonly Row[] = [
  {
    name: "a stream whose deltas have a null for all that they lack",
    body: stream(
      chunk({ role: "assistant", content: "", reasoning_content: null, tool_calls: null }, null, {
        matched_stop: null,
      }),
      chunk({ role: null, content: "so", reasoning_content: null, tool_calls: null }),
      chunk({ role: null, content: null, tool_calls: null }, "stop", { matched_stop: 151645 }),
      usage(4, 1, 5),
    ),
    sees: { text: "so", finish: "stop", usage: [4, 1, 5] },
  },
  {
    name: "calls whose name is repeated as null",
    body: stream(
      chunk({
        tool_calls: [{ id: "call_9", index: 0, type: "function", function: { name: "sum", arguments: "" } }],
      }),
      chunk({
        tool_calls: [
          { id: null, index: 0, type: "function", function: { name: null, arguments: '{"a":1}' } },
        ],
      }),
      chunk({}, "tool_calls"),
    ),
    sees: { calls: [{ id: "call_9", name: "sum", args: '{"a":1}' }], finish: "tool_calls" },
  },
  {
    name: "an answer in one piece with null for the reason",
    body: whole(head, { content: "so", reasoning_content: null, tool_calls: null }, null),
    sees: { text: "so", finish: "unknown" },
  },
  {
    name: "a fault as an event in the stream",
    body: cut({ error: { object: "error", message: "The request queue is full.", type: "503", code: 503 } }),
    sees: { code: "openclaw_error", says: "OpenClaw reports: The request queue is full." },
  },
];

/** Answers of DeepSeek. */
export const deepseek: readonly Row[] = [
  {
    name: "comments that keep the connection alive before the first piece",
    body: `: keep-alive\n\n: keep-alive\n\n${stream(chunk({ role: "assistant", content: "" }), text("Go"), end("stop"))}`,
    sees: { text: "Go", finish: "stop" },
  },
  {
    name: "empty lines that keep the connection alive before an answer in one piece",
    headers: { "content-type": "application/json" },
    body: `\n\n\n${whole(head, { content: "Go", reasoning_content: "Hm." }, "stop")}`,
    sees: { text: "Go", finish: "stop" },
  },
  {
    name: "thoughts alone",
    body: stream(
      chunk({ role: "assistant", content: null, reasoning_content: "Hm" }),
      chunk({ content: "" }, "stop"),
    ),
    sees: {
      code: "empty_response",
      says: "the model's answer holds reasoning alone, neither text nor a tool call (finish_reason stop)",
    },
  },
  {
    name: "an answer that its server had no means to finish",
    body: stream(text("Go"), end("insufficient_system_resource")),
    sees: {
      text: "Go",
      code: "openclaw_error",
      says: "OpenClaw reports: the model ended with finish_reason insufficient_system_resource",
    },
  },
  {
    name: "an account without money",
    status: 402,
    body: JSON.stringify({
      error: {
        message: "Insufficient Balance",
        type: "unknown_error",
        param: null,
        code: "invalid_request_error",
      },
    }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 402: Insufficient Balance" },
  },
];
