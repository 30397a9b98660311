import { describe, expect, it } from "vitest";
import { type Message, readMessage } from "../../../../protocol/link/guest/message.ts";
import { guestLimits } from "../../../../protocol/wire/limits.ts";

const hi = { role: "user", content: "hi" };

function read(payload: object): Message {
  const message = readMessage({ ...payload });
  if (typeof message === "string") throw new Error(message);
  return message;
}

describe("a message", () => {
  it("that says nothing but its text has the defaults of everything else", () => {
    expect(read(hi)).toEqual({
      role: "user",
      content: "hi",
      requestId: "",
      conversationId: "",
      runLife: "",
      runSeen: undefined,
      afterSequence: 0,
      credit: Infinity,
      onDisconnect: undefined,
      minConfigRevision: 0,
      toolCallId: undefined,
      history: [],
      tools: [],
      toolChoice: undefined,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it("keeps each field that is given", () => {
    const tool = { type: "function", function: { name: "f" } };
    expect(
      read({
        role: "tool",
        content: "result",
        request_id: "r",
        conversation_id: "c",
        run_life: "l",
        run_seen: { sequence: 4, mark: 5 },
        after_sequence: 3,
        credit: 100,
        on_disconnect: "cancel",
        min_config_revision: 6,
        tool_call_id: "call",
        history: [hi],
        tools: [tool],
        tool_choice: "auto",
      }),
    ).toEqual({
      role: "tool",
      content: "result",
      requestId: "r",
      conversationId: "c",
      runLife: "l",
      runSeen: { sequence: 4, mark: 5 },
      afterSequence: 3,
      credit: 100,
      onDisconnect: "cancel",
      minConfigRevision: 6,
      toolCallId: "call",
      history: [hi],
      tools: [{ name: "f", described: tool }],
      toolChoice: "auto",
      hash: expect.any(String),
    });
  });

  it("takes null for a field that is not given", () => {
    const fields = [
      "request_id",
      "conversation_id",
      "run_life",
      "run_seen",
      "after_sequence",
      "credit",
      "on_disconnect",
      "min_config_revision",
      "tool_call_id",
      "history",
      "tools",
      "tool_choice",
    ];
    const { hash: _, ...absent } = read(hi);
    expect(read({ ...hi, ...Object.fromEntries(fields.map((field) => [field, null])) })).toMatchObject(
      absent,
    );
    expect(read({ role: "user", content: null }).content).toBe("");
  });

  it("without a role only attaches, and has no digest", () => {
    for (const payload of [{}, { role: "" }, { role: null }])
      expect(read({ ...payload, request_id: "r", content: "x" })).toMatchObject({
        role: undefined,
        hash: "",
      });
  });

  it("may continue on disconnect, as it may be cancelled", () => {
    expect(read({ ...hi, on_disconnect: "continue" }).onDisconnect).toBe("continue");
  });

  it("may have a credit of 0: nothing is sent before more is granted", () => {
    expect(read({ ...hi, credit: 0 }).credit).toBe(0);
  });

  const longest = "x".repeat(guestLimits.nameLength);
  const ids = `request_id, conversation_id or run_life is not a string of at most 512`;
  const counts = "after_sequence or min_config_revision is not an integer from 0";
  it.each([
    [{ role: "system" }, "role is neither user nor tool"],
    [{ role: 1 }, "role is neither user nor tool"],
    [{ content: 7 }, "content is not a string"],
    [{ on_disconnect: "stay" }, "on_disconnect is neither continue nor cancel"],
    [{ on_disconnect: 1 }, "on_disconnect is neither continue nor cancel"],
    [{ credit: -1 }, "credit is not a number from 0"],
    [{ credit: NaN }, "credit is not a number from 0"],
    [{ credit: "9" }, "credit is not a number from 0"],
    [{ tool_call_id: 7 }, "tool_call_id is not a string"],
    [{ history: "x" }, "history is not a list of objects"],
    [{ tools: "x" }, "tools is not a list of objects"],
    [{ request_id: 7 }, ids],
    [{ conversation_id: {} }, ids],
    [{ run_life: true }, ids],
    [{ request_id: `${longest}x` }, ids],
    [{ run_seen: 7 }, "run_seen is not an object of a sequence and a mark"],
    [{ run_seen: { sequence: -1 } }, "run_seen is not an object of a sequence and a mark"],
    [{ run_seen: { mark: 1.5 } }, "run_seen is not an object of a sequence and a mark"],
    [{ after_sequence: -1 }, counts],
    [{ after_sequence: 1.5 }, counts],
    [{ min_config_revision: "1" }, counts],
  ])("%o is refused in words that name the field", (wrong, words) => {
    expect(readMessage({ ...hi, ...wrong })).toBe(words);
  });

  it("may have ids of the greatest length", () => {
    const message = read({ ...hi, request_id: longest, conversation_id: longest, run_life: longest });
    expect([message.requestId, message.conversationId, message.runLife]).toEqual([longest, longest, longest]);
  });

  it("may leave out of what was seen of its run whatever is 0", () => {
    expect(read({ ...hi, run_seen: {} }).runSeen).toEqual({ sequence: 0, mark: 0 });
    expect(read({ ...hi, run_seen: { sequence: 2 } }).runSeen).toEqual({ sequence: 2, mark: 0 });
  });
});

describe("the digest of a message", () => {
  const own = {
    request_id: "r",
    conversation_id: "c",
    after_sequence: 1,
    credit: 1,
    on_disconnect: "cancel",
    min_config_revision: 1,
    run_life: "l",
    run_seen: { sequence: 1, mark: 1 },
  };

  it.each(Object.entries(own))("does not change with the link's own %s", (key, value) => {
    expect(read({ ...hi, [key]: value }).hash).toBe(read(hi).hash);
  });

  it.each([
    [{ role: "tool" }],
    [{ content: "ho" }],
    [{ history: [hi] }],
    [{ tools: [{ type: "function", function: { name: "f" } }] }],
    [{ tool_choice: "none" }],
    [{ tool_call_id: "x" }],
    [{ temperature: 1 }],
  ])("changes with what the client says: %j", (said) => {
    expect(read({ ...hi, ...said }).hash).not.toBe(read(hi).hash);
  });

  it("does not depend on the order of keys", () => {
    expect(read({ content: "hi", role: "user" }).hash).toBe(read(hi).hash);
  });
});
