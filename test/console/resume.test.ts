import { beforeAll, describe, expect, it } from "vitest";
import { startCuttingProxy } from "../clients/cutting-proxy.ts";
import { type Stack, startStack } from "../e2e/stack.ts";
import { answerOf, openConsole, runOf, say, textOf, withoutChromium, wordsUpTo } from "./chromium.ts";

const chat = { hash: "#/agents/demo/chat" };
let stack: Stack;

describe.skipIf(withoutChromium)("an answer in the console", () => {
  beforeAll(async () => {
    stack = await startStack();
  });

  it("goes on after a reload in its middle, with every token exactly once", async () => {
    const { page } = await openConsole(stack.url, chat);
    const calls = stack.model.calls;
    await say(page, "!pace 15 !words 300");
    for (const word of ["word20 ", "word120 ", "word200 "]) {
      await expect.poll(() => textOf(runOf(page)), { timeout: 20_000 }).toContain(word);
      expect(await runOf(page).getAttribute("data-state")).toBe("streaming");
      await page.reload();
    }
    expect(await answerOf(runOf(page))).toBe(wordsUpTo(300));
    expect(await page.locator(".run").count()).toBe(1);
    expect(stack.model.calls).toBe(calls + 1);
  });

  it("is there after a reload at its end, without being asked for again", async () => {
    const { page } = await openConsole(stack.url, chat);
    await say(page, "!words 5");
    await answerOf(runOf(page));
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.reload();
    expect(await answerOf(runOf(page))).toBe(wordsUpTo(5));
    expect(asked.filter((url) => url.endsWith("/Stream"))).toEqual([]);
  });

  it("goes on after a reload before its first token", async () => {
    const { page } = await openConsole(stack.url, chat);
    const calls = stack.model.calls;
    await say(page, "!stall 1 !words 4");
    await expect.poll(() => stack.model.calls).toBe(calls + 1);
    await page.reload();
    expect(await answerOf(runOf(page))).toBe(wordsUpTo(4));
    expect(stack.model.calls).toBe(calls + 1);
  });

  it("goes on by itself after the network was cut, again and again", async () => {
    const network = await startCuttingProxy(stack.url);
    const { page } = await openConsole(network.url, chat);
    await say(page, "!pace 15 !words 200");
    for (const word of ["word20 ", "word80 ", "word140 "]) {
      await expect.poll(() => textOf(runOf(page)), { timeout: 20_000 }).toContain(word);
      network.cutAll();
    }
    expect(await answerOf(runOf(page))).toBe(wordsUpTo(200));
    await expect.poll(() => page.locator(".connection").innerText(), { timeout: 20_000 }).toContain("live");
  });

  it("that is long is read again from its first token after a reload", async () => {
    const { page } = await openConsole(stack.url, chat);
    await say(page, "!bytes 1000000 !stall 60");
    await expect
      .poll(async () => (await textOf(runOf(page))).length, { timeout: 20_000 })
      .toBeGreaterThanOrEqual(1_000_000);
    await page.reload();
    await expect
      .poll(async () => (await textOf(runOf(page))).length, { timeout: 20_000 })
      .toBeGreaterThanOrEqual(1_000_000);
    expect((await textOf(runOf(page))).length).toBe(1_000_000);
    await page.keyboard.press("Escape");
  });

  it("runs on in the agent if the page is closed", async () => {
    const { page } = await openConsole(stack.url, chat);
    const { finished } = stack.model;
    await say(page, "!pace 20 !words 60");
    await expect.poll(() => textOf(runOf(page))).toContain("word3 ");
    await page.close();
    await expect.poll(() => stack.model.finished, { timeout: 20_000 }).toBe(finished + 1);
  });
});
