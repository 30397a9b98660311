import { beforeAll, describe, expect, it } from "vitest";
import { type Stack, startStack, startTestAgent } from "../e2e/stack.ts";
import { answerOf, openConsole, runOf, withoutChromium } from "./chromium.ts";

let stack: Stack;

describe.skipIf(withoutChromium)("the list of agents", () => {
  beforeAll(async () => {
    stack = await startStack();
  });

  it("changes by itself when an agent is created, changed and deleted elsewhere", async () => {
    const { page } = await openConsole(stack.url);
    const row = page.locator('[data-agent="elsewhere"]');
    await page.locator('[data-agent="demo"]').waitFor();
    const agent = await startTestAgent("elsewhere", stack.model.url);
    await stack.registry.createAgent({ agent: { id: "elsewhere", address: agent.address } });
    await expect.poll(() => row.innerText()).toContain("connected");
    await expect.poll(() => row.innerText()).toContain("applied r1");
    await stack.proxy.pushConfig({ agentId: "elsewhere", config: { note: 1 } });
    await expect.poll(() => row.innerText()).toContain("applied r2");
    agent.kill();
    await expect.poll(() => row.innerText(), { timeout: 15_000 }).toContain("away");
    await stack.registry.deleteAgent({ agentId: "elsewhere" });
    await expect.poll(() => row.count()).toBe(0);
  });

  it("is kept by one watch for the whole page", async () => {
    const { page } = await openConsole(stack.url);
    const watches: string[] = [];
    page.on("request", (request) => {
      if (request.url().endsWith("/WatchAgents")) watches.push(request.url());
    });
    await page.reload();
    await page.locator('[data-agent="demo"] a').click();
    for (const tab of ["Status", "Config", "Context", "Chat"])
      await page.getByRole("link", { name: tab }).click();
    await page.getByRole("link", { name: "Agents" }).click();
    await page.locator('[data-agent="demo"]').waitFor();
    expect(watches).toHaveLength(1);
  });

  it("is watched again by itself after an error of the server, whichever it is", async () => {
    const { page } = await openConsole(stack.url);
    await page.locator('[data-agent="demo"]').waitFor();
    let refused = 0;
    await page.route("**/WatchAgents", (route) => {
      refused++;
      const body = JSON.stringify({ code: "internal", message: "a fault" });
      return route.fulfill({ status: 500, contentType: "application/json", body });
    });
    await page.reload();
    await expect.poll(() => refused).toBeGreaterThan(1);
    expect(await page.locator(".connection").innerText()).toContain("connecting again");
    await page.unroute("**/WatchAgents");
    await page.locator('[data-agent="demo"]').waitFor();
    await expect.poll(() => page.locator(".connection").innerText()).toBe("live");
  });

  it("is filtered by what is typed", async () => {
    for (const id of ["blue-1", "blue-2"]) {
      await stack.registry.createAgent({ agent: { id, status: 3 } });
    }
    const { page } = await openConsole(stack.url);
    await page.locator('[data-agent="blue-2"]').waitFor();
    await page.getByLabel("Filter agents").fill("blue stopped");
    expect(await page.locator(".agent-row").count()).toBe(2);
    await page.getByLabel("Filter agents").fill("blue-2");
    expect(await page.locator(".agent-row").count()).toBe(1);
    await page.getByLabel("Filter agents").fill("nobody");
    expect(await page.getByText("No agent matches the filter.").count()).toBe(1);
  });

  it("makes an agent, tells what is wrong with one, and deletes one after asking", async () => {
    const { page } = await openConsole(stack.url);
    await page.getByRole("button", { name: "New agent" }).click();
    await page.getByLabel("Id", { exact: true }).fill("demo");
    await page.getByRole("button", { name: "Create" }).click();
    await expect.poll(() => page.getByRole("alert").innerText()).toContain("AGENT_EXISTS");
    await page.getByLabel("Id", { exact: true }).fill("made-here");
    await page.getByLabel(/^Address/).fill("tcp://127.0.0.1:9");
    await page.getByRole("button", { name: "Create" }).click();
    await page.getByRole("heading", { name: "made-here" }).waitFor();
    await page.getByRole("link", { name: "Agents" }).click();
    await page.getByRole("button", { name: "Delete made-here" }).click();
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await page.locator('[data-agent="made-here"]').count()).toBe(1);
    await page.getByRole("button", { name: "Delete made-here" }).click();
    await page.getByRole("button", { name: "Delete it" }).click();
    await expect.poll(() => page.locator('[data-agent="made-here"]').count()).toBe(0);
  });

  it("leads to an answer with only the keyboard", async () => {
    const { page } = await openConsole(stack.url);
    await page.locator('[data-agent="demo"]').waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("demo");
    await page.keyboard.press("ArrowDown");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("href"))).toBe(
      "#/agents/demo/chat",
    );
    await page.keyboard.press("ArrowUp");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("filter");
    await page.keyboard.press("Enter");
    await page.getByLabel("Message", { exact: true }).waitFor();
    await page.keyboard.type("!words 3");
    await page.keyboard.press("Enter");
    expect(await answerOf(runOf(page))).toBe("word1 word2 word3");
    await page.keyboard.press("Tab");
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
  });

  it("shows every control with a visible focus, in the order in which they stand", async () => {
    const { page } = await openConsole(stack.url);
    await page.locator('[data-agent="demo"]').waitFor();
    const seen: string[] = [];
    for (let n = 0; n < 8; n++) {
      await page.keyboard.press("Tab");
      seen.push(
        await page.evaluate(() => {
          const element = document.activeElement as HTMLElement;
          const { outlineStyle, outlineWidth } = getComputedStyle(element);
          const name = element.getAttribute("aria-label") ?? element.textContent ?? "";
          return `${name.slice(0, 20)} ${outlineStyle === "none" || outlineWidth === "0px" ? "hidden" : "seen"}`;
        }),
      );
    }
    expect(seen.filter((entry) => entry.endsWith("hidden"))).toEqual([]);
    expect(seen[0]).toContain("Valinor");
    expect(seen.findIndex((entry) => entry.startsWith("Filter"))).toBeGreaterThan(0);
  });

  it("tells an agent's status, with ages that go on", async () => {
    const { page } = await openConsole(stack.url, { hash: "#/agents/demo/status" });
    const fact = (name: string) => page.locator(".fact", { hasText: name }).locator("dd");
    await expect.poll(() => fact("Link").first().innerText()).toContain("connected");
    expect(await fact("Revision desired").innerText()).toBe("1");
    expect(await fact("Revision observed").innerText()).toBe("1");
    expect(await fact("OpenClaw").innerText()).toContain("ready");
    const age = async () => Number.parseInt(await fact("Last heartbeat").innerText(), 10);
    const before = await age();
    await expect.poll(age, { timeout: 15_000 }).not.toBe(before);
  });
});
