import { beforeAll, describe, expect, it } from "vitest";
import { AgentStatus } from "../../gen/ts/valinor/v1/types_pb.ts";
import { type Stack, startStack } from "../e2e/stack.ts";
import { answerOf, openConsole, runOf, say, textOf, withoutChromium, wordsUpTo } from "./chromium.ts";

const chat = { hash: "#/agents/demo/chat" };
let stack: Stack;

describe.skipIf(withoutChromium)("a chat in the console", () => {
  beforeAll(async () => {
    stack = await startStack();
  });

  it("shows each token as it comes, before the answer is complete", async () => {
    const { page, complaints } = await openConsole(stack.url, chat);
    await say(page, "!words 2 !stall 60 !words 2");
    await expect.poll(() => textOf(runOf(page))).toBe("word1 word2");
    expect(await runOf(page).getAttribute("data-state")).toBe("streaming");
    expect(await runOf(page).locator(".answer").getAttribute("aria-busy")).toBe("true");
    await runOf(page).getByRole("button", { name: "Cancel" }).click();
    await answerOf(runOf(page), "cancelled");
    expect(complaints).toEqual([]);
  });

  it("shows the whole answer, exactly as the agent gave it", async () => {
    const { page } = await openConsole(stack.url, chat);
    const text = "two  blanks\n\n  indented\ttab\n```js\nlet x = 1 < 2 && '&amp;';\n```\nend\n";
    await say(page, `!echo ${text}`);
    expect(await answerOf(runOf(page))).toBe(text);
    expect(await runOf(page).locator(".part pre").innerText()).toContain("let x = 1 < 2 && '&amp;';");
  });

  it("draws a long answer without losing a word", async () => {
    const { page } = await openConsole(stack.url, chat);
    await say(page, "!words 20000");
    expect(await answerOf(runOf(page))).toBe(wordsUpTo(20_000));
  });

  it("begins a line with Shift+Enter, and sends with Enter", async () => {
    const { page } = await openConsole(stack.url, chat);
    await page.getByLabel("Message", { exact: true }).fill("!echo one");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("two");
    expect(await page.locator(".run").count()).toBe(0);
    await page.keyboard.press("Enter");
    expect(await answerOf(runOf(page))).toBe("one\ntwo");
    expect(await page.getByLabel("Message", { exact: true }).inputValue()).toBe("");
  });

  it.each([
    ["Safari, which ends the composition first", { keyCode: 229, isComposing: false }],
    ["the others", { keyCode: 229, isComposing: true }],
  ])("leaves Enter to an input method that composes, as %s tell it", async (_browser, said) => {
    const { page } = await openConsole(stack.url, chat);
    const box = page.getByLabel("Message", { exact: true });
    await box.fill("!echo \u6f22");
    await box.evaluate((element, how) => {
      element.dispatchEvent(new CompositionEvent("compositionend", { data: "\u6f22", bubbles: true }));
      const key = { key: "Enter", code: "Enter", bubbles: true, cancelable: true, ...how };
      element.dispatchEvent(new KeyboardEvent("keydown", key));
    }, said);
    expect(await page.locator(".run").count()).toBe(0);
    expect(await box.inputValue()).toBe("!echo \u6f22");
    await page.keyboard.press("Enter");
    expect(await answerOf(runOf(page))).toBe("\u6f22");
  });

  it("shows text that is read from right to left so: while it is written, when it was sent, and in the answer", async () => {
    const { page } = await openConsole(stack.url, chat);
    const box = page.getByLabel("Message", { exact: true });
    const directions = (selector: string) =>
      page.locator(selector).evaluateAll((all) => all.map((element) => getComputedStyle(element).direction));
    const shalom = "\u05e9\u05dc\u05d5\u05dd, Valinor";
    await box.fill(shalom);
    expect(await directions("textarea")).toEqual(["rtl"]);
    await page.keyboard.press("Enter");
    await answerOf(runOf(page));
    expect(await directions(".message .text")).toEqual(["rtl"]);
    await say(page, `!echo ${shalom}`);
    expect(await answerOf(runOf(page))).toBe(shalom);
    expect((await directions(".answer .text")).at(-1)).toBe("rtl");
    await box.fill("hello");
    expect(await directions("textarea")).toEqual(["ltr"]);
  });

  it("cancels the answer with Escape, in the agent as well", async () => {
    const { page } = await openConsole(stack.url, chat);
    const aborted = stack.model.aborted;
    await say(page, "!words 1 !stall 60");
    await expect.poll(() => textOf(runOf(page))).toBe("word1");
    await page.keyboard.press("Escape");
    await answerOf(runOf(page), "cancelled");
    await expect.poll(() => stack.model.aborted).toBe(aborted + 1);
  });

  it("shows a tool call with its arguments", async () => {
    const { page } = await openConsole(stack.url, chat);
    await say(page, '!tool search {"query":"<b>mist</b>"}');
    await answerOf(runOf(page));
    const card = runOf(page).getByLabel("Tool call search");
    expect(await card.innerText()).toContain('"query": "<b>mist</b>"');
  });

  it("shows a blocked tool, and that the answer ended with it", async () => {
    await stack.addAgent("strict");
    await stack.proxy.pushConfig({
      agentId: "strict",
      config: {},
      toolPolicy: { mode: 2, tools: ["search"] },
    });
    const { page } = await openConsole(stack.url, { hash: "#/agents/strict/chat" });
    await say(page, "!tool delete_all {}");
    await answerOf(runOf(page), "blocked");
    const card = runOf(page).getByLabel("Tool blocked");
    expect(await card.innerText()).toContain("delete_all");
  });

  it("tells an error with its reason, and sends the message again under another name when asked to", async () => {
    const { page } = await openConsole(stack.url, chat);
    await say(page, "!fail 500");
    await answerOf(runOf(page), "failed");
    const notice = runOf(page).locator(".notice");
    expect(await notice.innerText()).toContain("AGENT_ERROR");
    const first = await runOf(page).getAttribute("data-request");
    await runOf(page).getByRole("button", { name: "Send again" }).click();
    await expect.poll(() => page.locator(".run").count()).toBe(2);
    await answerOf(runOf(page), "failed");
    expect(await runOf(page).getAttribute("data-request")).not.toBe(first);
  });

  it("retries under the same name what never reached the agent, and runs it once", async () => {
    const agent = await stack.addAgent("late");
    await stack.registry.updateAgent({
      agent: { id: "late", status: 3 },
      updateMask: { paths: ["status"] },
    });
    const { page } = await openConsole(stack.url, { hash: "#/agents/late/chat" });
    await say(page, "!words 3");
    await answerOf(runOf(page), "interrupted");
    expect(await runOf(page).locator(".notice").innerText()).toContain("AGENT_NOT_RUNNING");
    const calls = stack.model.calls;
    await stack.registry.updateAgent({
      agent: { id: "late", status: 2 },
      updateMask: { paths: ["status"] },
    });
    await runOf(page).getByRole("button", { name: "Retry" }).click();
    expect(await answerOf(runOf(page))).toBe("word1 word2 word3");
    expect(stack.model.calls).toBe(calls + 1);
    expect(await page.locator(".run").count()).toBe(1);
    expect(agent.address).toContain("tcp://");
  });

  it("never sends a message that was cancelled before it reached the agent, also after a reload", async () => {
    await stack.addAgent("held");
    const setStatus = (status: AgentStatus) =>
      stack.registry.updateAgent({ agent: { id: "held", status }, updateMask: { paths: ["status"] } });
    await setStatus(AgentStatus.STOPPED);
    const { page } = await openConsole(stack.url, { hash: "#/agents/held/chat" });
    await say(page, "!words 3");
    await answerOf(runOf(page), "interrupted");
    await runOf(page).getByRole("button", { name: "Cancel the run" }).click();
    await answerOf(runOf(page), "cancelled");
    await setStatus(AgentStatus.RUNNING);
    const calls = stack.model.calls;
    await page.reload();
    await answerOf(runOf(page), "cancelled");
    await say(page, "!words 2");
    expect(await answerOf(runOf(page))).toBe("word1 word2");
    expect(stack.model.calls).toBe(calls + 1);
  });

  it("keeps conversations apart, and their names over a reload", async () => {
    const { page } = await openConsole(stack.url, chat);
    await say(page, "!echo first");
    await answerOf(runOf(page));
    await page.getByRole("button", { name: "New conversation" }).click();
    expect(await page.locator(".run").count()).toBe(0);
    await say(page, "!echo second");
    expect(await answerOf(runOf(page))).toBe("second");
    await page.getByRole("button", { name: "Rename" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill("about mist");
    await page.keyboard.press("Enter");
    await page.reload();
    await page.getByRole("button", { name: "about mist" }).click();
    expect(await textOf(runOf(page))).toBe("second");
    await page.getByRole("button", { name: "Conversation 1" }).click();
    expect(await textOf(runOf(page))).toBe("first");
    const kept = await page.evaluate(() => JSON.stringify(localStorage));
    expect(kept).toContain("about mist");
    expect(kept).not.toContain("!echo");
  });

  it("forgets a conversation for good, also one that is being answered", async () => {
    const { page } = await openConsole(stack.url, chat);
    await say(page, "!echo mithril");
    await answerOf(runOf(page));
    await say(page, "!words 1 !stall 60");
    await expect.poll(() => textOf(runOf(page))).toBe("word1");
    await page.getByRole("button", { name: "Forget" }).click();
    await page.getByRole("button", { name: "Forget it" }).click();
    await expect.poll(() => page.locator(".run").count()).toBe(0);
    await page.reload();
    await page.getByLabel("Message", { exact: true }).waitFor();
    expect(await page.evaluate(() => JSON.stringify(sessionStorage))).not.toContain("mithril");
    expect(
      await page.evaluate(() => Object.keys(sessionStorage).filter((key) => key.includes("run"))),
    ).toEqual([]);
  });
});
