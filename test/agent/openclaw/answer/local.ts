import { call, chunks, cut, type Row, stream, whole } from "./row.ts";

const head = {
  id: "chatcmpl-561",
  object: "chat.completion.chunk",
  created: 1767225600,
  model: "local",
  system_fingerprint: "fp_ollama",
};
const { chunk, text, calls, end, usage } = chunks(head);

/** Answers of Ollama. */
export const ollama: readonly Row[] = [
  {
    name: "a stream in which each piece repeats the role, and the last has the reason",
    body: stream(
      chunk({ role: "assistant", content: "Fine" }),
      chunk({ role: "assistant", content: "." }),
      chunk({ role: "assistant", content: "" }, "stop"),
    ),
    sees: { text: "Fine.", finish: "stop" },
  },
  {
    name: "a whole call in one piece, whose reason is stop",
    body: stream(
      chunk({ role: "assistant", content: "", tool_calls: [call(0, "call_x1", "ls", '{"dir":"/"}')] }),
      chunk({ role: "assistant", content: "" }, "stop"),
    ),
    sees: { calls: [{ id: "call_x1", name: "ls", args: '{"dir":"/"}' }], finish: "stop" },
  },
  {
    name: "two calls, both at index 0",
    body: stream(
      calls(call(0, "call_x1", "add", '{"x":1}')),
      calls(call(0, "call_x2", "add", '{"x":2}')),
      end("tool_calls"),
    ),
    sees: {
      calls: [
        { id: "call_x1", name: "add", args: '{"x":1}' },
        { id: "call_x2", name: "add", args: '{"x":2}' },
      ],
      finish: "tool_calls",
    },
  },
  {
    name: "thoughts beside the text, under reasoning",
    body: stream(
      chunk({ role: "assistant", content: "", reasoning: "They ask for 2." }),
      text("2"),
      end("stop"),
    ),
    sees: { text: "2", finish: "stop" },
  },
  {
    name: "a model that is not there",
    status: 404,
    body: JSON.stringify({
      error: {
        message: 'model "gpt-9" not found, try pulling it first',
        type: "api_error",
        param: null,
        code: null,
      },
    }),
    sees: {
      code: "openclaw_error",
      says: 'OpenClaw answered 404 to POST /v1/chat/completions: model "gpt-9" not found, try pulling it first',
    },
  },
  {
    name: "the error of its own interface, a text alone",
    status: 500,
    body: JSON.stringify({ error: "llama runner process has terminated" }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 500: llama runner process has terminated" },
  },
];

/** Answers of llama.cpp's server. */
export const llamacpp: readonly Row[] = [
  {
    name: "a stream whose first piece has a null for its content, with timings at its end",
    body: stream(chunk({ role: "assistant", content: null }), text("Hi"), {
      ...head,

      choices: [{ index: 0, delta: {}, finish_reason: "stop" }],
      timings: { prompt_n: 3, predicted_n: 1, predicted_ms: 5.5 },
    }),
    sees: { text: "Hi", finish: "stop" },
  },
  {
    name: "thoughts alone, cut off by the window",
    body: stream(
      chunk({ role: "assistant", content: null }),
      chunk({ reasoning_content: "Let me see" }),
      end("length"),
    ),
    sees: {
      code: "empty_response",
      says: "the model's answer holds reasoning alone, neither text nor a tool call (finish_reason length)",
    },
  },
  {
    name: "an error as an event of a name of its own",
    body: `${cut(text("Hi"))}error: {"code":500,"message":"not read","type":"server_error"}\n\nevent: error\ndata: {"code":500,"message":"context is full","type":"server_error"}\n\n`,
    sees: { text: "Hi", code: "openclaw_error", says: "OpenClaw reports: context is full" },
  },
  {
    name: "a model that is being loaded",
    status: 503,
    body: JSON.stringify({ error: { code: 503, message: "Loading model", type: "unavailable_error" } }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 503: Loading model" },
  },
  {
    name: "a call whose name comes whole and whose arguments are an object",
    body: whole(head, { content: null, tool_calls: [call(undefined, "", "ls", { dir: "/" })] }, "tool_calls"),
    sees: { calls: [{ name: "ls", args: '{"dir":"/"}' }], finish: "tool_calls" },
  },
];

/** Answers of LM Studio. */
export const lmstudio: readonly Row[] = [
  {
    name: "a name in two pieces, then its arguments",
    body: stream(
      calls(call(0, "365", "list_", "")),
      calls(call(0, undefined, "files", "")),
      calls(call(0, undefined, undefined, '{"dir":"/"}')),
      end("tool_calls"),
    ),
    sees: { calls: [{ id: "365", name: "list_files", args: '{"dir":"/"}' }], finish: "tool_calls" },
  },
  {
    name: "an error of its engine as an event",
    body: `event: error\ndata: {"error":{"message":"The model has crashed."},"message":"The model has crashed."}\n\n`,
    sees: { code: "openclaw_error", says: "OpenClaw reports: The model has crashed." },
  },
  {
    name: "an error with status 200 for a path that it does not know",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ error: "Unexpected endpoint or method. (POST /v1/v1/chat/completions)" }),
    sees: {
      code: "openclaw_error",
      says: "OpenClaw reports: Unexpected endpoint or method. (POST /v1/v1/chat/completions)",
    },
  },
];

/** Answers of LocalAI. */
export const localai: readonly Row[] = [
  {
    name: "a stream with an empty text for the reason in every piece",
    body: stream(
      chunk({ role: "assistant", content: "" }, ""),
      chunk({ content: "Hey" }, ""),
      chunk({ content: "" }, "stop"),
    ),
    sees: { text: "Hey", finish: "stop" },
  },
  {
    name: "a stream with an empty text for the reason that breaks off",
    body: cut(chunk({ content: "Half of" }, ""), chunk({ content: " it" }, "")),
    sees: { text: "Half of it", code: "truncated", says: "the model's answer is not complete" },
  },
  {
    name: "a whole name, and then the same name again with arguments",
    body: stream(
      calls(call(0, "c-1", "search", "")),
      calls(call(0, "c-1", "search", '{"q":')),
      calls(call(0, "c-1", "search", '"x"}')),
      end("tool_calls"),
    ),
    sees: { calls: [{ id: "c-1", name: "search", args: '{"q":"x"}' }], finish: "tool_calls" },
  },
  {
    name: "two calls with one id and one index",
    body: stream(
      calls(call(0, "c-1", "search", '{"q":"x"}')),
      calls(call(0, "c-1", "search", '{"q":"y"}')),
      end("tool_calls"),
    ),
    sees: {
      calls: [
        { id: "c-1", name: "search", args: '{"q":"x"}' },
        { name: "search", args: '{"q":"y"}' },
      ],
      finish: "tool_calls",
    },
  },
  {
    name: "usage that is told as texts and fractions",
    body: stream(text("Hey"), end("stop"), usage("12", 3.0, null)),
    sees: { text: "Hey", finish: "stop", usage: [12, 3, 15] },
  },
  {
    name: "usage that is null",
    body: stream({ ...text("Hey"), usage: null }, { ...end("stop"), usage: null }),
    sees: { text: "Hey", finish: "stop" },
  },
];
