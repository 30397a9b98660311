import { call, chunks, type Row, stream } from "./row.ts";

const { chunk, text, end, usage } = chunks({
  id: "chatcmpl_287e",
  object: "chat.completion.chunk",
  created: 1795344644,
  model: "openclaw",
});

/** Answers of OpenClaw itself. */
export const openclaw: readonly Row[] = [
  {
    name: "a stream with the role first and the usage last",
    body: stream(chunk({ role: "assistant" }), text("tok0"), end("stop"), usage(10287, 5, 10292)),
    sees: { text: "tok0", finish: "stop", usage: [10287, 5, 10292] },
  },
  {
    name: "a failure after the stream began, with its end mark",
    body: stream(chunk({ role: "assistant" }), { error: { message: "internal error", type: "api_error" } }),
    sees: { code: "openclaw_error", says: "OpenClaw reports: internal error" },
  },
  {
    name: "a call of a client's tool",
    body: stream(
      chunk({ role: "assistant" }),
      chunk({ tool_calls: [call(0, "call_1", "lookup", '{"k":1}')] }),
      end("tool_calls"),
    ),
    tools: ["client:lookup", "lookup"],
    sees: { calls: [{ id: "call_1", name: "lookup", args: '{"k":1}' }], finish: "tool_calls" },
  },
  {
    name: "a wrong token",
    status: 401,
    body: JSON.stringify({ error: { message: "Unauthorized", type: "unauthorized" } }),
    sees: { code: "openclaw_error", says: "OpenClaw answered 401: Unauthorized" },
  },
];
