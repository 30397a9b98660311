import { pino } from "pino";
import { beforeAll, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { type Stack, startStack, startTestAgent } from "../e2e/stack.ts";
import { makeCertificate } from "../helpers/certificate.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { answerOf, openConsole, runOf, say, textOf, withoutChromium } from "./chromium.ts";

const chat = { hash: "#/agents/demo/chat" };
let stack: Stack;

/** A control plane with a certificate of its own making, and the agent `demo`. */
async function startTlsServer(): Promise<string> {
  const agent = await startTestAgent("demo", stack.model.url);
  const flags = { server: { port: 0 }, store: { url: "sqlite::memory:" } };
  const config = loadConfig({ env: {}, flags, mode: "dev" });
  const tls = makeCertificate();
  const demo = {
    tenant: "default",
    id: "demo",
    status: "RUNNING",
    vsockCid: 0,
    address: agent.address,
  } as const;
  const server = await startServer(
    { ...config, agents: [demo], server: { ...config.server, tls, drainMs: 0 } },
    { logger: pino({ level: "silent" }) },
  );
  afterFile(() => server.close());
  return server.url;
}

describe.skipIf(withoutChromium)("the console's connections", () => {
  beforeAll(async () => {
    stack = await startStack();
  });

  it("leave room within HTTP/1.1's six: three answers stream, others wait in sight, and calls go through", async () => {
    await stack.addAgent("six");
    const { page } = await openConsole(stack.url, { hash: "#/agents/six/chat" });
    expect(await page.evaluate(protocolOfPage)).toBe("http/1.1");
    for (let n = 0; n < 5; n++) await say(page, `!words ${n + 1} !stall 60`);
    for (let n = 0; n < 3; n++) await expect.poll(() => textOf(runOf(page, n))).toContain("word1");
    for (const n of [3, 4]) {
      expect(await runOf(page, n).getAttribute("data-state")).toBe("waiting");
      expect(await runOf(page, n).locator(".run-state").innerText()).toContain("Waiting: 3 answers at once");
    }
    await page.getByRole("link", { name: "Status" }).click();
    await expect
      .poll(() => page.locator(".fact", { hasText: "In flight" }).innerText(), { timeout: 15_000 })
      .toContain("3");
    await page.getByRole("link", { name: "Config" }).click();
    await page.getByLabel(/^JSON/).fill(`{"note": 1}`);
    await page.getByRole("button", { name: "Push", exact: true }).click();
    await expect.poll(() => page.locator(".notice").innerText()).toContain("the agent has it in force");
    await page.getByRole("link", { name: "Chat" }).click();
    await runOf(page, 4).getByRole("button", { name: "Cancel" }).click();
    await answerOf(runOf(page, 4), "cancelled");
    await runOf(page, 0).getByRole("button", { name: "Cancel" }).click();
    await answerOf(runOf(page, 0), "cancelled");
    await expect.poll(() => textOf(runOf(page, 3))).toContain("word4");
    for (const n of [1, 2, 3]) await runOf(page, n).getByRole("button", { name: "Cancel" }).click();
  });

  it("are shared by the pages of a browser: a second page's answers wait for the first one's", async () => {
    const { page } = await openConsole(stack.url, chat);
    for (let n = 0; n < 3; n++) await say(page, "!words 1 !stall 60");
    for (let n = 0; n < 3; n++) await expect.poll(() => textOf(runOf(page, n))).toBe("word1");
    const second = await page.context().newPage();
    await second.goto(`${stack.url}/console/${chat.hash}`);
    await say(second, "!words 2");
    await expect.poll(() => runOf(second).getAttribute("data-state")).toBe("waiting");
    await second.getByRole("link", { name: "Status" }).click();
    await second.getByText("Last heartbeat").waitFor();
    await page.close();
    await second.getByRole("link", { name: "Chat" }).click();
    expect(await answerOf(runOf(second))).toBe("word1 word2");
  });

  it("carry forty open streams over HTTP/2", async () => {
    const url = await startTlsServer();
    const { page, complaints } = await openConsole(url, chat);
    await expect.poll(() => page.locator(".connection").innerText()).toBe("live");
    expect(await page.evaluate(protocolOfPage)).toBe("h2");
    for (let n = 1; n <= 40; n++) await say(page, `!words ${n} !stall 60`);
    const streaming = page.locator('.run[data-state="streaming"]');
    await expect.poll(() => streaming.count(), { timeout: 30_000 }).toBe(40);
    for (const n of [1, 20, 40])
      await expect.poll(() => textOf(runOf(page, n - 1))).toMatch(new RegExp(`word${n}$`));
    await page.getByRole("link", { name: "Status" }).click();
    await expect
      .poll(() => page.locator(".fact", { hasText: "In flight" }).innerText(), { timeout: 15_000 })
      .toContain("40");
    expect(complaints).toEqual([]);
  });
});

function protocolOfPage(): string {
  const [entry] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  return entry?.nextHopProtocol ?? "";
}
