import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { type Stack, startStack } from "../e2e/stack.ts";
import { answerOf, openConsole, runOf, say, withoutChromium } from "./chromium.ts";

let stack: Stack;

/** Ways to each view, with something in it. */
const views: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  "the list": (page) => page.locator('[data-agent="demo"]').waitFor(),
  "a new agent": async (page) => {
    await page.getByRole("button", { name: "New agent" }).click();
    await page.getByRole("dialog").waitFor();
  },
  "the chat": async (page) => {
    await go(page, "chat");
    await say(page, `!echo ${"a-very-long-word-".repeat(30)}\n\`\`\`\n${"code ".repeat(80)}\n\`\`\``);
    await answerOf(runOf(page));
    await say(page, `!tool search {"query":"${"long".repeat(60)}"}`);
    await answerOf(runOf(page));
    await say(page, "!fail 500");
    await answerOf(runOf(page), "failed");
    await say(page, "!words 2 !stall 60");
    await expect.poll(() => runOf(page).getAttribute("data-state")).toBe("streaming");
  },
  "the status": async (page) => {
    await go(page, "status");
    await page.getByText("Last heartbeat").waitFor();
  },
  "the configuration": async (page) => {
    await go(page, "config");
    await page.locator(".diff").waitFor();
    await page.getByLabel(/^only these/).check();
    await page.getByLabel(/^JSON/).fill(`{"draft": 1`);
  },
  "the context": async (page) => {
    await go(page, "context");
    await page.getByLabel("Text").fill("x");
  },
  "the keys": async (page) => {
    await page.locator('[data-agent="demo"]').waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
  },
  "the sign-in": async (page) => {
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("dialog").waitFor();
  },
};

async function go(page: Page, tab: string): Promise<void> {
  await page.evaluate((hash) => (location.hash = hash), `#/agents/demo/${tab}`);
}

describe.skipIf(withoutChromium)("the look of the console", () => {
  beforeAll(async () => {
    stack = await startStack();
    for (const note of ["one", "two"]) await stack.proxy.pushConfig({ agentId: "demo", config: { note } });
    await stack.registry.createAgent({ agent: { id: `long-${"x".repeat(58)}`, status: 3 } });
  });

  for (const dark of [false, true]) {
    for (const [name, visit] of Object.entries(views)) {
      it(`has no fault that axe finds: ${name}, ${dark ? "dark" : "light"}`, async () => {
        const { page } = await openConsole(stack.url, { dark });
        await visit(page);
        const { violations } = await new AxeBuilder({ page }).analyze();
        const found = violations.map(({ id, impact, nodes }) => ({
          id,
          impact,
          where: nodes.map(({ html }) => html.slice(0, 200)),
        }));
        expect(found.filter(({ impact }) => impact === "serious" || impact === "critical")).toEqual([]);
      });
    }
  }

  it.each(Object.entries(views))(
    "fits a phone of 390 px without scrolling sideways: %s",
    async (_name, visit) => {
      const { page } = await openConsole(stack.url, { width: 390, height: 844 });
      await visit(page);
      const wide = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        const out = [
          ...document.querySelectorAll("main, .thread, .transcript, .dialog, .top, .agent-bar"),
        ].filter(
          (element) =>
            element.scrollWidth > element.clientWidth + 1 ||
            element.getBoundingClientRect().right > clientWidth + 1,
        );
        return { page: scrollWidth - clientWidth, out: out.map(({ className }) => className) };
      });
      expect(wide).toEqual({ page: 0, out: [] });
    },
  );

  it("goes from the system's theme to light and dark, and keeps what was chosen", async () => {
    const { page } = await openConsole(stack.url, { dark: true });
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.getByRole("button", { name: "Theme: system" }).click();
    const light = await background();
    expect(light).not.toBe(dark);
    await page.reload();
    await page.getByRole("button", { name: "Theme: light" }).waitFor();
    expect(await background()).toBe(light);
    await page.getByRole("button", { name: "Theme: light" }).click();
    expect(await background()).toBe(dark);
  });
});
