import { randomUUID } from "node:crypto";
import OpenAI from "openai";
import { beforeAll, describe, expect, it } from "vitest";
import { missing, type RealStack, startRealStack } from "./stack.ts";

type Turn = OpenAI.ChatCompletionMessageParam;

let stack: RealStack;
let client: OpenAI;

const user = (content: string): Turn => ({ role: "user", content });
const look: OpenAI.ChatCompletionTool = {
  type: "function",
  function: { name: "look", description: "looks at the sky", parameters: { type: "object", properties: {} } },
};

function complete(messages: Turn[], more: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming> = {}) {
  return client.chat.completions.create({ ...more, model: "demo", messages, stream: false });
}

/** Everything that the model was told last. */
function told(): string {
  return (stack.model.requests.at(-1)?.messages ?? []).map(({ text }) => text).join("\n");
}

describe.skipIf(missing() !== undefined)("a real OpenClaw behind the OpenAI routes", () => {
  beforeAll(async () => {
    stack = await startRealStack();
    client = new OpenAI({ baseURL: `${stack.url}/v1`, apiKey: "none" });
    await stack.say("!echo ready");
  });

  it("gets a history if no user is named", async () => {
    const { choices } = await complete([
      { role: "system", content: "be brief" },
      user("my name is Ann"),
      { role: "assistant", content: "hello Ann" },
      user("well?"),
    ]);
    expect(choices[0]?.finish_reason).toBe("stop");
    for (const text of ["be brief", "my name is Ann", "hello Ann", "well?"]) expect(told()).toContain(text);
  });

  it("keeps the history of a user", async () => {
    const name = randomUUID();
    await complete([user("my name is Ann")], { user: name });
    await complete([user("this is not sent"), user("well?")], { user: name });
    expect(told()).toContain("my name is Ann");
    expect(told()).not.toContain("this is not sent");
  });

  it.each([
    ["in a fresh conversation", undefined],
    ["in a lasting one", randomUUID()],
  ])(
    "hands out the call of a client's tool that the policy lists, and takes its result, %s",
    async (_, name) => {
      expect(await stack.push({}, ["client:look"])).toMatchObject({ applied: true });
      const more = { tools: [look], ...(name !== undefined && { user: name }) };
      const turns = [user("!tool look {}")];
      const [asked] = (await complete(turns, more)).choices;
      expect(asked).toMatchObject({ finish_reason: "tool_calls" });
      expect(stack.model.requests.at(-1)?.tools).toEqual(["look"]);
      const [call] = asked?.message.tool_calls ?? [];
      if (asked === undefined || call === undefined) throw new Error("no tool was called");
      turns.push(asked.message, { role: "tool", tool_call_id: call.id, content: "the sky is blue" });
      await complete(turns, { ...more, tool_choice: "none" });
      expect(told()).toContain("the sky is blue");
    },
  );

  it("is not asked if the policy lists no tool of the client", async () => {
    expect(await stack.push({}, ["read"])).toMatchObject({ applied: true });
    const { calls } = stack.model;
    await expect(complete([user("hi")], { tools: [look] })).rejects.toThrow(OpenAI.PermissionDeniedError);
    expect(stack.model.calls).toBe(calls);
  });
});
