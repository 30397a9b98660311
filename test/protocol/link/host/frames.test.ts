import { describe, expect, it } from "vitest";
import { answersExchange, endsExchange, needsCredit } from "../../../../protocol/link/host/frames.ts";

const frame = (type: string, payload = {}) => ({ type, id: "a", payload, size: 0 });

describe("a frame of a guest", () => {
  it.each([
    ["chunk", false],
    ["opened", false],
    ["progress", false],
    ["tool_call", false],
    ["tool_blocked", true],
    ["config_ack", true],
    ["cancel_ack", true],
    ["error", true],
  ])("of type %s answers an exchange; that it ends it is %s", (type, ends) => {
    expect([answersExchange(type), endsExchange(frame(type))]).toEqual([true, ends]);
  });

  it.each(["heartbeat", "ping", "pong", "gossip", "hello", "message", ""])(
    "of type %j answers no exchange",
    (type) => {
      expect(answersExchange(type)).toBe(false);
    },
  );

  it("that is a chunk ends its exchange only if it says that it is done", () => {
    expect(endsExchange(frame("chunk", { done: true }))).toBe(true);
    for (const done of [false, null, "true", 1]) expect(endsExchange(frame("chunk", { done }))).toBe(false);
  });

  it("needs credit, but for an error that is no event of a run", () => {
    expect(needsCredit(frame("chunk"))).toBe(true);
    expect(needsCredit(frame("progress"))).toBe(true);
    expect(needsCredit(frame("error", { sequence: 3 }))).toBe(true);
    expect(needsCredit(frame("error", { sequence: 0 }))).toBe(true);
    for (const payload of [{}, { sequence: null }]) expect(needsCredit(frame("error", payload))).toBe(false);
  });
});
