import { describe, expect, it } from "vitest";
import { readReason } from "../../../../agent/openclaw/answer/finish.ts";

describe("the finish_reason of an answer", () => {
  it.each([
    ["stop", "stop"],
    [" length ", "length"],
    [{ type: "tool_calls" }, "tool_calls"],
    ["x".repeat(65), "x".repeat(64)],
  ])("%j is %s", (told, reason) => {
    expect(readReason(told)).toBe(reason);
  });

  it.each([undefined, null, "", " ", "null", 7, [], {}, { type: 7 }])("%j is none yet", (told) => {
    expect(readReason(told)).toBeUndefined();
  });

  it.each([
    "error",
    "server_error",
    "Abort",
    "aborted",
    "cancelled",
    "user_canceled",
    "fail",
    "FAILED",
    "failure",
    "timeout",
    "interrupted",
    "insufficient_system_resource",
    "malformed_function_call",
  ])("%s says that the model failed", (told) => {
    expect(() => readReason(told)).toThrow(
      expect.objectContaining({
        code: "openclaw_error",
        message: `OpenClaw reports: the model ended with finish_reason ${told}`,
      }),
    );
  });

  it.each(["failsafe", "timeouts", "content_filter", "abortive"])("%s is a word like any other", (told) => {
    expect(readReason(told)).toBe(told);
  });
});
