import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ownProblem } from "../../../web/src/problem.ts";
import { applyProblem, hasEnded, textOf } from "../../../web/src/chat/run.ts";
import { delta, done, freshRun, opened, take, toolCall } from "./events.ts";

describe("a run in the console", () => {
  it("grows by each event, and ends with done", () => {
    const run = freshRun();
    take(run, opened(), delta(1, "Hel"), delta(2, "lo"), toolCall(3, "search"), done(4));
    expect(textOf(run)).toBe("Hello");
    expect(run.parts.at(-1)).toMatchObject({ kind: "tool", name: "search" });
    expect(run).toMatchObject({ state: "done", lastSequence: 4, finishReason: "stop" });
  });

  it("holds long texts in parts that together are exactly the text", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 3000 }).map((text) => `${text}\n${text}`)), (texts) => {
        const run = freshRun();
        texts.forEach((text, index) => take(run, delta(index + 1, text)));
        expect(textOf(run)).toBe(texts.join(""));
      }),
    );
  });

  it("does not touch the parts of a long text that are closed, so that what was drawn stays", () => {
    const run = freshRun();
    const line = `${"x".repeat(79)}\n`;
    for (let n = 1; n <= 1000; n++) take(run, delta(n, line));
    expect(run.parts.length).toBeGreaterThan(10);
    const before = run.parts.slice(0, -1).map((part) => ({ ...part }));
    for (let n = 1001; n <= 1100; n++) take(run, delta(n, line));
    expect(run.parts.slice(0, before.length)).toEqual(before);
  });

  it.each([
    ["RUN_CANCELLED", true, "cancelled"],
    ["TOOL_BLOCKED", true, "blocked"],
    ["AGENT_ERROR", true, "failed"],
    ["RUN_LOST", false, "failed"],
    ["RUN_TRIMMED", false, "failed"],
    ["AGENT_TIMEOUT", false, "interrupted"],
    ["AGENT_BUSY", false, "interrupted"],
  ])("after %s (ended the run: %s) is %s", (reason, endedRun, state) => {
    const run = freshRun();
    applyProblem(run, { ...ownProblem(reason, "x"), endedRun });
    expect(run.state).toBe(state);
    expect(hasEnded(run)).toBe(state !== "interrupted");
  });

  it("whose agent cannot resume an answer fails with any cut, and says so", () => {
    const run = freshRun();
    take(run, opened(false));
    applyProblem(run, ownProblem("CONNECTION_LOST", "x"));
    expect(run).toMatchObject({ state: "failed", problem: { reason: "RUN_INTERRUPTED" } });
    const cancelled = freshRun();
    take(cancelled, opened(false));
    applyProblem(cancelled, ownProblem("RUN_CANCELLED", "x"));
    expect(cancelled).toMatchObject({ state: "cancelled", problem: { reason: "RUN_CANCELLED" } });
  });
});
