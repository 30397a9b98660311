import { describe, expect, it } from "vitest";
import { type BeginConditions, checkBegin, requestOf } from "../../../agent/kernel/begin.ts";
import { noConfig, type WantedConfig } from "../../../agent/settings/config-in-force.ts";
import { type Message, readMessage } from "../../../protocol/link/guest/message.ts";

const { applied } = noConfig;

function messageOf(payload: object): Message {
  const message = readMessage({ role: "user", content: "hi", ...payload });
  if (typeof message === "string") throw new Error(message);
  return message;
}

const open: BeginConditions = {
  draining: false,
  config: { ...applied, revision: 5 },
  hasRoom: () => true,
};

describe("a message that names no run yet", () => {
  it.each([0, 4, 5])("begins one if it asks for revision %i and 5 is in force", (min_config_revision) => {
    expect(() => checkBegin(messageOf({ min_config_revision }), open)).not.toThrow();
  });

  it("waits for no configuration: one that asks for a newer one is told which is in force", () => {
    expect(() => checkBegin(messageOf({ min_config_revision: 6 }), open)).toThrow(
      expect.objectContaining({ code: "config_stale", message: "config revision 5 is in force" }),
    );
  });

  it("begins none in a guest that is told to stop", () => {
    expect(() => checkBegin(messageOf({}), { ...open, draining: true })).toThrow(
      expect.objectContaining({ code: "draining", message: "the agent is about to stop" }),
    );
  });

  it("begins none in a guest that has all the runs that it can hold", () => {
    expect(() => checkBegin(messageOf({}), { ...open, hasRoom: () => false })).toThrow(
      expect.objectContaining({ code: "busy" }),
    );
  });

  it("makes room only if nothing else keeps it from beginning", () => {
    const conditions = {
      ...open,
      hasRoom: () => {
        throw new Error("a run was dropped in vain");
      },
    };
    for (const [message, more] of [
      [messageOf({}), { draining: true }],
      [messageOf({ min_config_revision: 6 }), {}],
    ] as const)
      expect(() => checkBegin(message, { ...conditions, ...more })).not.toThrow("in vain");
  });
});

function configWith(systemPrompt?: string): WantedConfig {
  return {
    ...applied,
    settings: { model: "m", ...(systemPrompt === undefined ? {} : { systemPrompt }) },
  };
}

describe("what the model is asked", () => {
  it("is the message as it came, under the settings in force", () => {
    const tool = { type: "function", function: { name: "f" } };
    const message = messageOf({
      role: "tool",
      tool_call_id: "call",
      history: [{ role: "user", content: "before" }],
      tools: [tool],
      tool_choice: "none",
      conversation_id: "c",
    });
    const config = configWith();
    expect(requestOf(message, config, [])).toEqual({
      role: "tool",
      content: "hi",
      toolCallId: "call",
      history: message.history,
      tools: message.tools,
      toolChoice: "none",
      conversationId: "c",
      systemTexts: [],
      settings: config.settings,
    });
  });

  it("begins with the system prompt, and goes on with the context in its order", () => {
    expect(requestOf(messageOf({}), configWith("be brief"), ["one", "two"]).systemTexts).toEqual([
      "be brief",
      "one",
      "two",
    ]);
    expect(requestOf(messageOf({}), configWith(""), ["one"]).systemTexts).toEqual(["one"]);
  });
});
