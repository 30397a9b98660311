import { chunks, type Row, stream, whole } from "./row.ts";

const head = {
  id: "chatcmpl-Az7",
  object: "chat.completion.chunk",
  created: 1767225600,
  model: "gpt-4o-2024-11-20",
};
const { chunk, text, end } = chunks(head);
const safe = { hate: { filtered: false, severity: "safe" }, violence: { filtered: false, severity: "safe" } };

/** Answers of Azure OpenAI. */
export const azure: readonly Row[] = [
  {
    name: "a stream that begins with the verdict on the prompt, without id and model",
    body: stream(
      {
        choices: [],
        created: 0,
        id: "",
        model: "",
        object: "",
        prompt_filter_results: [{ prompt_index: 0, content_filter_results: safe }],
      },
      chunk({ role: "assistant", content: "" }, null, { content_filter_results: {}, logprobs: null }),
      chunk({ content: "Yes" }, null, { content_filter_results: safe }),
      chunk({}, "stop", { content_filter_results: {} }),
    ),
    sees: { text: "Yes", finish: "stop" },
  },
  {
    name: "an asynchronous verdict after the text, whose choice has no delta",
    body: stream(text("Yes"), end("stop"), {
      ...head,
      choices: [
        { index: 0, finish_reason: null, content_filter_offsets: { start_offset: 0, end_offset: 3 } },
      ],
    }),
    sees: { text: "Yes", finish: "stop" },
  },
  {
    name: "an answer that was filtered before its first word",
    body: whole(head, { content: null }, "content_filter", { prompt_filter_results: [] }),
    sees: {
      code: "empty_response",
      says: "the model's answer holds neither text nor a tool call (finish_reason content_filter)",
    },
  },
  {
    name: "an answer that was filtered after some words",
    body: stream(text("Take the"), chunk({}, "content_filter")),
    sees: { text: "Take the", finish: "content_filter" },
  },
  {
    name: "a prompt that is refused",
    status: 400,
    body: JSON.stringify({
      error: {
        message: "The response was filtered by the content policy.",
        param: "prompt",
        code: "content_filter",
        status: 400,
        innererror: {
          code: "ResponsibleAIPolicyViolation",
          content_filter_result: { jailbreak: { filtered: true } },
        },
      },
    }),
    sees: {
      code: "openclaw_error",
      says: "OpenClaw answered 400: The response was filtered by the content policy.",
    },
  },
  {
    name: "the gateway's own error of a wrong key",
    status: 401,
    body: JSON.stringify({ statusCode: 401, message: "Access denied due to invalid subscription key." }),
    sees: {
      code: "openclaw_error",
      says: "OpenClaw answered 401: Access denied due to invalid subscription key.",
    },
  },
];
