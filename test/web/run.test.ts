import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ownProblem } from "../../web/src/problem.ts";
import { applyEvent, applyProblem, hasEnded, textOf } from "../../web/src/chat/run.ts";
import { delta, done, freshRun, opened, toolCall } from "./events.ts";

describe("a run in the console", () => {
  it("grows by each event, and ends with done", () => {
    const run = freshRun();
    for (const event of [opened(), delta(1, "Hel"), delta(2, "lo"), toolCall(3, "search"), done(4)]) {
      applyEvent(run, event);
    }
    expect(textOf(run)).toBe("Hello");
    expect(run.parts.at(-1)).toMatchObject({ kind: "tool", name: "search" });
    expect(run).toMatchObject({ state: "done", lastSequence: 4, finishReason: "stop" });
  });

  it("takes an event that comes twice once", () => {
    const run = freshRun();
    for (const event of [delta(1, "a"), delta(1, "a"), delta(2, "b"), delta(1, "a"), delta(2, "b")]) {
      applyEvent(run, event);
    }
    expect(textOf(run)).toBe("ab");
  });

  it("refuses an event that leaves one out, and keeps what it has", () => {
    const run = freshRun();
    applyEvent(run, delta(1, "a"));
    expect(() => applyEvent(run, delta(3, "c"))).toThrow("event 3 came after event 1");
    expect(run).toMatchObject({ lastSequence: 1 });
    expect(textOf(run)).toBe("a");
  });

  it("holds long texts in parts that together are exactly the text", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 3000 }).map((text) => `${text}\n${text}`)), (texts) => {
        const run = freshRun();
        texts.forEach((text, index) => applyEvent(run, delta(index + 1, text)));
        expect(textOf(run)).toBe(texts.join(""));
      }),
    );
  });

  it("leaves closed parts alone, so that what was drawn stays", () => {
    const run = freshRun();
    const line = `${"x".repeat(79)}\n`;
    for (let n = 1; n <= 1000; n++) applyEvent(run, delta(n, line));
    expect(run.parts.length).toBeGreaterThan(10);
    const before = run.parts.slice(0, -1).map((part) => ({ ...part }));
    for (let n = 1001; n <= 1100; n++) applyEvent(run, delta(n, line));
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
});
