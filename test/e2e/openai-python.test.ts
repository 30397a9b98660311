import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { PYTHON_MS, pythonOrReason } from "../helpers/python.ts";
import { until } from "../helpers/until.ts";
import { KEY_RUNS, type OpenAIStack, startOpenAIStack } from "./openai-stack.ts";

const { python, skip } = await pythonOrReason();
const script = join(import.meta.dirname, "python/openai_client.py");

let stack: OpenAIStack;
/** What came of each scenario of the script. */
let outcomes: Record<string, unknown>;

describe.skipIf(skip !== undefined)(
  `the official OpenAI client for Python${skip === undefined ? "" : ` (skipped: ${skip})`}`,
  () => {
    beforeAll(async () => {
      stack = await startOpenAIStack();
      const keys = [await stack.key("operator"), await stack.key("viewer")];
      const args = [script, stack.baseURL, ...keys, String(KEY_RUNS)];
      const { stdout } = await promisify(execFile)(python, args, { timeout: PYTHON_MS });
      outcomes = JSON.parse(stdout) as typeof outcomes;
    }, PYTHON_MS);

    const words = Array.from({ length: 40 }, (_, index) => `word${index + 1}`).join(" ");
    const trip = {
      asked: ["tool_calls", "look", { at: "sky" }],
      answer: 'The tool answered: "the sky is blue".',
    };

    it.each([
      [
        "gets a completion",
        "completion",
        { content: "hi there", finish_reason: "stop", tokens: 2, named: true },
      ],
      [
        "reads a stream with its usage",
        "stream",
        { role: "assistant", text: words, finish_reason: "stop", tokens: 40 },
      ],
      ["passes the result of a tool back", "round_trip", trip],
      ["passes it back in a lasting conversation", "lasting_round_trip", trip],
      ["puts a streamed call of a tool together", "streamed_tool", { name: "look" }],
      ["has a conversation by user", "two_turns", { answers: ["one", "two"] }],
      ["gives a history without user", "history", { answer: "who am I?" }],
      ["lists models", "models", { list: ["demo"], one: "model" }],
      [
        "raises RateLimitError",
        "busy",
        { class: "RateLimitError", status: 429, code: "rate_limit_exceeded", param: null },
      ],
    ])("%s", (_, scenario, outcome) => {
      expect(outcomes[scenario]).toEqual(outcome);
    });

    it.each([
      ["stranger", "AuthenticationError", 401, "invalid_api_key"],
      ["viewer", "PermissionDeniedError", 403, "permission_denied"],
      ["model", "NotFoundError", 404, "model_not_found"],
      ["n", "BadRequestError", 400, "unsupported_value"],
      ["other", "ConflictError", 409, "request_id_reused"],
      ["failed", "InternalServerError", 502, "openclaw_error"],
      ["failed_stream", "InternalServerError", 502, "openclaw_error"],
      ["cut", "APIError", null, "read_error"],
    ])("raises the class that is meant: %s is %s", (name, type, status, code) => {
      const errors = outcomes["errors"] as Record<string, unknown>;
      expect(errors[name]).toMatchObject({ class: type, status, code });
    });

    it("ends the runs that it leaves", async () => {
      expect(outcomes).toMatchObject({ abort: { left: true }, abort_async: { left: true } });
      // Two were left, and the streams of the one that was busy.
      await until("the model's calls are gone", () => stack.model.aborted === 2 + KEY_RUNS);
      expect(stack.model.active).toBe(0);
    });
  },
);
