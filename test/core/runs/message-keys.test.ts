import { describe, expect, it } from "vitest";
import { localCaller } from "../../../src/core/access/authorize.ts";
import type { MessageInput } from "../../../src/core/inputs.ts";
import { forever } from "../../link/connect.ts";
import { echo, type Session, startGuest } from "../../link/fake-guest.ts";
import { message, startWorld } from "../world.ts";

const history = [{ role: "system", content: "be brief" }];
const tools = [{ type: "function", function: { name: "look" } }];

/** Sends to a guest of that protocol, with that beside it; what the guest got. */
async function sent(protocol: 1 | 2, input: MessageInput, kind?: "openclaw" | "plain") {
  const world = await startWorld();
  const hello = (session: Session) => session.heartbeat({ ...(kind && { openclaw_kind: kind }) });
  const guest = await startGuest({ protocol, on: { message: echo, hello } });
  await world.add("a", guest.address);
  await world.core.send(localCaller, message("a", "", { message: input }), forever);
  const { received } = await guest.session(1);
  return received.find(({ type }) => type === "message")?.payload;
}

describe("history and tools of a message", () => {
  it("reach a guest of protocol 2, whatever the client's own keys say", async () => {
    const extra = {
      history: "forged",
      tools: "forged",
      tool_choice: "forged",
      tool_call_id: "forged",
      mine: 1,
    };
    const input = {
      role: "tool",
      content: "",
      toolCallId: "c1",
      history,
      tools,
      toolChoice: "none",
      extra,
    } as const;
    expect(await sent(2, input)).toMatchObject({
      role: "tool",
      content: "",
      tool_call_id: "c1",
      history,
      tools,
      tool_choice: "none",
      mine: 1,
    });
  });

  it("are those that the conversation lacks, and all of them if the guest keeps no conversations", async () => {
    const wholeHistory = [
      ...history,
      { role: "user", content: "I am Ann" },
      { role: "assistant", content: "Hi" },
    ];
    const input = { role: "user", content: "who am I?", history, wholeHistory } as const;
    expect(await sent(2, input, "openclaw")).toMatchObject({ history });
    expect(await sent(2, input)).toMatchObject({ history });
    expect(await sent(2, input, "plain")).toMatchObject({ history: wholeHistory });
    expect(await sent(2, { role: "user", content: "hi", history }, "plain")).toMatchObject({ history });
  });

  it("leave no key in the frame if there are none", async () => {
    const payload = await sent(2, { role: "user", content: "hi", history: [], tools: [] });
    expect(Object.keys(payload ?? {}).filter((key) => /history|tool/.test(key))).toEqual([]);
  });

  it.each([{ history }, { tools }])(
    "are refused for a guest of protocol 1, which knows neither: %j",
    async (more) => {
      await expect(sent(1, { role: "user", content: "hi", ...more })).rejects.toMatchObject({
        reason: "INVALID_ARGUMENT",
        message: expect.stringContaining("protocol 1") as string,
      });
    },
  );

  it("let a tool's result pass to a guest of protocol 1", async () => {
    expect(await sent(1, { role: "tool", content: "blue", toolCallId: "c1" })).toEqual({
      role: "tool",
      content: "blue",
      tool_call_id: "c1",
    });
  });

  it("that fit into no frame are the client's fault", async () => {
    const deep = JSON.parse(`${'{"a":'.repeat(70)}1${"}".repeat(70)}`) as { a: never };
    await expect(
      sent(2, { role: "user", content: "hi", tools: [{ type: "function", function: deep }] }),
    ).rejects.toMatchObject({ reason: "INVALID_ARGUMENT" });
    const long = [{ role: "user", content: "x".repeat(4 * 1024 * 1024) }];
    await expect(sent(2, { role: "user", content: "hi", history: long })).rejects.toMatchObject({
      reason: "REQUEST_TOO_LARGE",
    });
  });
});

describe("a message without content", () => {
  it("is refused of a user", async () => {
    await expect(sent(2, { role: "user", content: "" })).rejects.toMatchObject({
      reason: "INVALID_ARGUMENT",
    });
  });
});
