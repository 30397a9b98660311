import { beforeAll, describe, expect, it } from "vitest";
import { startCuttingProxy } from "../clients/cutting-proxy.ts";
import { type Stack, startStack } from "../e2e/stack.ts";
import { startGuest } from "../link/fake-guest.ts";
import { answerOf, openConsole, runOf, say, withoutChromium } from "./chromium.ts";

let stack: Stack;

/** An agent of protocol 1 that never answers; the messages that it got. */
async function addSilentAgent(id: string): Promise<unknown[]> {
  const got: unknown[] = [];
  const guest = await startGuest({
    protocol: 1,
    on: { message: (_session, frame) => void got.push(frame.payload["content"]) },
  });
  await stack.registry.createAgent({ agent: { id, address: guest.address } });
  await expect.poll(async () => (await stack.proxy.getAgentStatus({ agentId: id })).connected).toBe(true);
  return got;
}

describe.skipIf(withoutChromium)("a message of the console to an agent of protocol 1", () => {
  beforeAll(async () => {
    stack = await startStack();
  });

  it("goes there once, also if its stream is cut before the first event", async () => {
    const got = await addSilentAgent("cut");
    const network = await startCuttingProxy(stack.url);
    const { page } = await openConsole(network.url, { hash: "#/agents/cut/chat" });
    await say(page, "only once");
    await expect.poll(() => runOf(page).getAttribute("data-state")).toBe("streaming");
    network.cutAll();
    await answerOf(runOf(page), "failed");
    expect(await runOf(page).locator(".notice").innerText()).toContain("cannot resume an answer");
    expect(got).toEqual(["only once"]);
  });

  it("goes there once, also if the page is loaded anew before the first event", async () => {
    const got = await addSilentAgent("reload");
    const { page } = await openConsole(stack.url, { hash: "#/agents/reload/chat" });
    await say(page, "only once");
    await expect.poll(() => runOf(page).getAttribute("data-state")).toBe("streaming");
    await page.reload();
    await answerOf(runOf(page), "failed");
    expect(got).toEqual(["only once"]);
  });
});
