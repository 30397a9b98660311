import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { collect, upTo } from "./collect.ts";
import { type Stack, startStack } from "./stack.ts";

const CLIENTS = 32;
let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

describe("32 clients on one agent over one link", () => {
  it("each get the answer to their own message, and none is lost", async () => {
    const clients = upTo(CLIENTS).map(async () => {
      for (let turn = 0; turn < 4; turn++) {
        const nonce = randomUUID();
        const answer = await stack.proxy.sendMessage({
          agentId: "demo",
          message: { content: `!echo ${nonce}` },
        });
        expect(answer.content.trim()).toBe(nonce);
      }
    });
    await Promise.all(clients);
  });

  it("each get the 200 chunks of their own stream, in order and without a gap", async () => {
    const streams = upTo(CLIENTS).map((client) =>
      collect(
        stack.proxy.stream({ agentId: "demo", message: { content: `!pace 1 !words ${200 + client}` } }),
      ),
    );
    const results = await Promise.all(streams);
    results.forEach((result, index) => {
      const words = 201 + index;
      expect(result.sequences).toEqual(upTo(words + 1));
      expect(result.text).toBe(
        upTo(words)
          .map((n) => `word${n}`)
          .join(" "),
      );
      expect(result.finishReason).toBe("stop");
    });
  });

  it("hear of their own refused config or context, every time, while answers and other pushes pass", async () => {
    const tooLong = "x".repeat(256 * 1024);
    const keys = upTo(8).map((n) => `key-${n}`);
    const answers = upTo(CLIENTS).map(async (n) => {
      const nonce = randomUUID();
      const options = { agentId: "demo", message: { content: `!echo ${nonce}` }, allowStaleConfig: true };
      expect((await stack.proxy.sendMessage(options)).content.trim(), `message ${n}`).toBe(nonce);
    });
    const configs = upTo(24).map(async (n) => {
      const bad = n % 2 === 0;
      const config = bad ? { model: n } : { model: `model-${n}` };
      const { applied, reason, revision } = await stack.proxy.pushConfig({ agentId: "demo", config });
      // One that another push overtook before it reached the guest is not in force, and says so.
      const later = /^superseded by revision (\d+)$/.exec(reason)?.[1];
      const own = { applied: !bad, reason: expect.stringMatching(bad ? /refused.*model/ : /^$/) as string };
      const overtaken = {
        applied: false,
        reason: `superseded by revision ${Math.max(Number(later), revision + 1)}`,
      };
      expect({ applied, reason }, `config ${n}`).toEqual(later === undefined ? own : overtaken);
      return { bad, revision, overtaken: later !== undefined };
    });
    // Four entries of 256 KiB fill the guest's 1 MiB; the rest is refused, each to its own caller.
    const contexts = keys
      .slice(0, 8)
      .map((key) => stack.proxy.pushContext({ agentId: "demo", key, context: tooLong }));
    const verdicts = await Promise.all(contexts);
    expect(verdicts.filter((verdict) => verdict.applied)).toHaveLength(4);
    for (const verdict of verdicts.filter((one) => !one.applied)) expect(verdict.reason).toContain("refused");
    await Promise.all(answers);
    const pushes = (await Promise.all(configs)).toSorted((a, b) => a.revision - b.revision);
    expect(pushes.at(-1)?.overtaken).toBe(false);
    for (const key of keys) await stack.proxy.pushContext({ agentId: "demo", key, context: "" });
    // If nobody else pushes, each hears the guest's own verdict.
    for (const n of upTo(4)) {
      const { applied, reason } = await stack.proxy.pushConfig({ agentId: "demo", config: { model: n } });
      expect({ applied, reason }).toEqual({
        applied: false,
        reason: expect.stringContaining("model") as string,
      });
    }
    // The last configuration was a refused one: until there is a good one, messages are turned away.
    expect(await stack.proxy.pushConfig({ agentId: "demo", config: {} })).toMatchObject({ applied: true });
  });

  it("share one run if they send the same request_id at once: the model is called once", async () => {
    const before = stack.model.calls;
    const request = { agentId: "demo", requestId: randomUUID(), message: { content: "!pace 5 !words 20" } };
    const answers = await Promise.all(upTo(CLIENTS).map(() => stack.proxy.sendMessage(request)));
    expect(new Set(answers.map((answer) => answer.content)).size).toBe(1);
    expect(stack.model.calls - before).toBe(1);
  });
});
