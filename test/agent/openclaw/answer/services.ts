import { call, chunks, cut, type Row, stream, whole } from "./row.ts";

const head = { id: "gen-77", object: "chat.completion.chunk", created: 1767225600, model: "some/model" };
const { chunk, text, calls, end, usage } = chunks(head);

/** Answers of Gemini's endpoint for OpenAI's clients. */
export const gemini: readonly Row[] = [
  {
    name: "a stream without created, whose last piece has text and reason",
    body: stream(
      {
        id: "g1",
        object: "chat.completion.chunk",
        choices: [{ delta: { role: "assistant", content: "Well" }, index: 0 }],
      },
      {
        id: "g1",
        object: "chat.completion.chunk",
        choices: [{ delta: { role: "assistant", content: " met" }, finish_reason: "stop", index: 0 }],
      },
    ),
    sees: { text: "Well met", finish: "stop" },
  },
  {
    name: "two calls without an index, with ids that are empty",
    body: stream(
      chunk({ role: "assistant", tool_calls: [call(undefined, "", "read", '{"n":1}')] }),
      chunk({ role: "assistant", tool_calls: [call(undefined, "", "read", '{"n":2}')] }),
      end("stop"),
    ),
    sees: {
      calls: [
        { name: "read", args: '{"n":1}' },
        { name: "read", args: '{"n":2}' },
      ],
      finish: "stop",
    },
  },
  {
    name: "a call whose arguments go on in pieces without index, and a signature in a piece of its own",
    body: stream(
      chunk({
        tool_calls: [
          {
            ...call(undefined, "fc-1", "read", '{"pa'),
            extra_content: { google: { thought_signature: "c2ln" } },
          },
        ],
      }),
      chunk({ tool_calls: [{ id: "", type: "", function: { arguments: 'th":"/"}' } }] }),
      chunk({ tool_calls: [{ extra_content: { google: { thought_signature: "bW9yZQ" } } }] }),
      end("stop"),
    ),
    sees: { calls: [{ id: "fc-1", name: "read", args: '{"path":"/"}' }], finish: "stop" },
  },
  {
    name: "calls without index whose pieces take turns, each with its id",
    body: stream(
      calls(call(undefined, "fc-1", "read", '{"n"')),
      calls(call(undefined, "fc-2", "read", '{"m"')),
      calls(call(undefined, "fc-1", undefined, ":1}")),
      calls(call(undefined, "fc-2", undefined, ":2}")),
      end("stop"),
    ),
    sees: {
      calls: [
        { id: "fc-1", name: "read", args: '{"n":1}' },
        { id: "fc-2", name: "read", args: '{"m":2}' },
      ],
      finish: "stop",
    },
  },
  {
    name: "an error in a list",
    status: 400,
    body: JSON.stringify([
      {
        error: {
          code: 400,
          message: "API key not valid.",
          status: "INVALID_ARGUMENT",
          details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID" }],
        },
      },
    ]),
    sees: { code: "openclaw_error", says: "OpenClaw answered 400: API key not valid." },
  },
  {
    name: "the same list with status 200",
    body: JSON.stringify([
      { error: { code: 503, message: "The model is overloaded.", status: "UNAVAILABLE" } },
    ]),
    sees: { code: "openclaw_error", says: "OpenClaw reports: The model is overloaded." },
  },
  {
    name: "an answer that was stopped for safety before its first word",
    body: stream(chunk({ role: "assistant" }, "content_filter: SAFETY")),
    sees: {
      code: "empty_response",
      says: "the model's answer holds neither text nor a tool call (finish_reason content_filter: SAFETY)",
    },
  },
];

/** Answers of Mistral. */
export const mistral: readonly Row[] = [
  {
    name: "a content of parts, of which the thoughts are not shown",
    body: stream(
      chunk({ role: "assistant", content: "" }),
      chunk({ content: [{ type: "thinking", thinking: [{ type: "text", text: "A greeting." }] }] }),
      chunk({ content: [{ type: "text", text: "Good " }] }),
      chunk({ content: "day" }, "stop"),
    ),
    sees: { text: "Good day", finish: "stop" },
  },
  {
    name: "the same in one piece",
    body: whole(
      head,
      {
        content: [
          { type: "thinking", thinking: [{ type: "text", text: "A greeting." }], closed: true },
          { type: "text", text: "Good day" },
        ],
      },
      "stop",
    ),
    sees: { text: "Good day", finish: "stop" },
  },
  {
    name: "a whole call in the piece that has the reason, with usage beside it",
    body: stream({
      ...chunk({ content: "", tool_calls: [call(0, "D681PevKs", "pay", '{"id": "T1"}')] }, "tool_calls"),
      usage: { prompt_tokens: 94, total_tokens: 162, completion_tokens: 68 },
    }),
    sees: {
      calls: [{ id: "D681PevKs", name: "pay", args: '{"id": "T1"}' }],
      finish: "tool_calls",
      usage: [94, 68, 162],
    },
  },
  {
    name: "an answer that its model's window cut",
    body: stream(text("On and on"), end("model_length")),
    sees: { text: "On and on", finish: "model_length" },
  },
  {
    name: "an answer that ended in an error",
    body: stream(text("On and"), end("error")),
    sees: {
      text: "On and",
      code: "openclaw_error",
      says: "OpenClaw reports: the model ended with finish_reason error",
    },
  },
  {
    name: "details under the message of an error",
    status: 422,
    body: JSON.stringify({
      object: "error",
      type: "invalid_request_error",
      code: null,
      message: {
        detail: [{ type: "extra_forbidden", loc: ["body", "user"], msg: "Extra inputs are not permitted" }],
      },
    }),
    sees: {
      code: "openclaw_error",
      says: "OpenClaw answered 422: body.user: Extra inputs are not permitted",
    },
  },
  {
    name: "a message alone",
    status: 401,
    body: JSON.stringify({ message: "Unauthorized", request_id: "r-1" }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 401: Unauthorized" },
  },
];

/** Answers of Groq. */
export const groq: readonly Row[] = [
  {
    name: "usage under a key of its own",
    body: stream({ ...chunk({ role: "assistant", content: "" }), x_groq: { id: "req_1" } }, text("Fast"), {
      ...end("stop"),
      x_groq: {
        id: "req_1",
        usage: {
          queue_time: 0.01,
          prompt_tokens: 18,
          completion_tokens: 6,
          total_tokens: 24,
          total_time: 0.1,
        },
      },
    }),
    sees: { text: "Fast", finish: "stop", usage: [18, 6, 24] },
  },
  {
    name: "a call that it could not read",
    status: 400,
    body: JSON.stringify({
      error: {
        message: "Failed to call a function.",
        type: "invalid_request_error",
        code: "tool_use_failed",
        failed_generation: '<function=pay{"id"',
      },
    }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 400: Failed to call a function." },
  },
  {
    name: "an error in the stream under its own key of an event",
    body: `event: error\ndata: {"error":{"message":"over capacity","type":"internal_server_error","status_code":503}}\n\n`,
    sees: { code: "openclaw_error", says: "OpenClaw reports: over capacity" },
  },
];

/** Answers of OpenRouter. */
export const openrouter: readonly Row[] = [
  {
    name: "comments while it works, and a reason that is told twice",
    body: `: OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n${stream(
      chunk({ role: "assistant", content: "Sure" }, null, { native_finish_reason: null, logprobs: null }),
      chunk({ role: "assistant", content: "" }, "stop", { native_finish_reason: "end_turn", logprobs: null }),
      { ...usage(20, 1, 21), cost: 0.0001 },
    )}`,
    sees: { text: "Sure", finish: "stop", usage: [20, 1, 21] },
  },
  {
    name: "an error of the provider in the midst of a stream, whose reason is error",
    body: stream(text("Sure"), {
      ...chunk({ content: "" }, "error", { native_finish_reason: "error" }),
      error: { code: 502, message: "Provider disconnected", metadata: { provider_name: "X" } },
    }),
    sees: { text: "Sure", code: "openclaw_error", says: "OpenClaw reports: Provider disconnected" },
  },
  {
    name: "an error within a choice",
    body: whole(head, { content: "" }, "error", {}).replace(
      '"finish_reason"',
      '"error":{"code":429,"message":"Provider is busy"},"finish_reason"',
    ),
    sees: { code: "openclaw_error", says: "OpenClaw reports: Provider is busy" },
  },
  {
    name: "the provider's own words beside its own",
    status: 429,
    body: JSON.stringify({
      error: {
        message: "Provider returned error",
        code: 429,
        metadata: { raw: '{"error":{"message":"slow down"}}', provider_name: "X" },
      },
      user_id: "u-1",
    }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 429: Provider returned error: slow down" },
  },
  {
    name: "an error in a body with status 200",
    body: `\n   \n${JSON.stringify({ error: { message: "No endpoints found", code: 404 } })}`,
    headers: { "content-type": "application/json" },
    sees: { code: "openclaw_error", says: "OpenClaw reports: No endpoints found" },
  },
  {
    name: "thoughts in two forms beside the text",
    body: stream(
      chunk({
        role: "assistant",
        content: "",
        reasoning: "Hm",
        reasoning_details: [{ type: "reasoning.text", text: "Hm" }],
      }),
      text("Sure"),
      end("stop"),
    ),
    sees: { text: "Sure", finish: "stop" },
  },
];

/** Answers of gateways such as LiteLLM, and of the proxies before them. */
export const gateways: readonly Row[] = [
  {
    name: "a stream of text without a reason, with its end mark",
    body: stream(text("Some"), text("thing")),
    sees: { text: "Something", finish: "unknown" },
  },
  {
    name: "a whole answer without a reason, whose call the policy does not list",
    body: whole({}, { tool_calls: [call(undefined, "t1", "erase", "{}")] }),
    tools: ["read"],
    sees: { blocked: "erase" },
  },
  {
    name: "a whole answer without a reason, whose call the policy lists",
    body: whole({}, { content: null, tool_calls: [call(undefined, "t1", "read", "{}")] }),
    tools: ["read"],
    sees: { calls: [{ id: "t1", name: "read", args: "{}" }], finish: "unknown" },
  },
  {
    name: "a stream of calls without a reason, whose call the policy does not list",
    body: stream(calls(call(0, "t1", "erase", "{}"))),
    tools: [],
    sees: { blocked: "erase" },
  },
  {
    name: "a stream that ends with the whole message",
    body: stream(text("Some"), text("thing"), JSON.parse(whole(head, { content: "Something" }, "stop"))),
    sees: { text: "Something", finish: "stop" },
  },
  {
    name: "an error of a provider with its class in the words",
    status: 400,
    body: JSON.stringify({
      error: { message: "litellm.BadRequestError: no such\n  model", type: null, param: null, code: "400" },
    }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 400: litellm.BadRequestError: no such model" },
  },
  {
    name: "a detail that is a text",
    status: 403,
    body: JSON.stringify({ detail: "Not authenticated" }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 403: Not authenticated" },
  },
  {
    name: "a list of errors",
    status: 400,
    body: JSON.stringify({
      success: false,
      errors: [{ code: 7003, message: "No route for that URI" }],
      result: null,
    }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 400: No route for that URI" },
  },
  {
    name: "the page of a proxy",
    status: 502,
    headers: { "content-type": "text/html" },
    body: "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center><hr>nginx</body></html>",
    sees: { code: "openclaw_error", says: "OpenClaw answered 502: 502 Bad Gateway" },
  },
  {
    name: "the page of a proxy with status 200",
    headers: { "content-type": "text/html" },
    body: "<!doctype html><html><head><title>Sign in</title></head><body>...</body></html>",
    sees: { code: "parse_error", says: "the model's answer is not JSON: Sign in" },
  },
  {
    name: "plain text with the time to wait",
    status: 503,
    headers: { "content-type": "text/plain", "retry-after": "Thu, 26 Nov 2026 17:00:00 GMT" },
    body: "upstream connect error or\tdisconnect/reset before headers",
    sees: {
      code: "openclaw_error",
      says: "OpenClaw answered 503: upstream connect error or disconnect/reset before headers; it asks to wait until 2026-11-26T17:00:00.000Z",
    },
  },
  {
    name: "a redirect",
    status: 308,
    headers: { location: "/elsewhere" },
    body: "",
    sees: { code: "openclaw_error", says: "OpenClaw answered 308 to POST /v1/chat/completions" },
  },
  {
    name: "an event named error with plain text",
    body: `${cut(text("Some"))}event: error\ndata: upstream is gone\n\n`,
    sees: { text: "Some", code: "openclaw_error", says: "OpenClaw reports: upstream is gone" },
  },
];

/** Answers of Anthropic's endpoint for OpenAI's clients. */
export const anthropic: readonly Row[] = [
  {
    name: "a stream with an event named ping",
    body: `event: ping\ndata: {"type":"ping"}\n\n${cut(chunk({ role: "assistant", content: "Certainly" }))}event: ping\ndata: ping\n\n${stream(end("stop"))}`,
    sees: { text: "Certainly", finish: "stop" },
  },
  {
    name: "an answer that ends with a word of its own",
    body: stream(text("Certainly"), end("end_turn")),
    sees: { text: "Certainly", finish: "end_turn" },
  },
  {
    name: "an error of its own form",
    status: 529,
    body: JSON.stringify({
      type: "error",
      error: { type: "overloaded_error", message: "Overloaded" },
      request_id: "req_1",
    }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 529: Overloaded" },
  },
  {
    name: "the same error as an event of a stream",
    body: `${cut(text("Certainly"))}event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n`,
    sees: { text: "Certainly", code: "openclaw_error", says: "OpenClaw reports: Overloaded" },
  },
];
