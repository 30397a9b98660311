import { beforeAll, describe, expect, it } from "vitest";
import { type AccessWorld, OWN, startAccessWorld } from "../e2e/access-world.ts";
import { until } from "../helpers/until.ts";
import { answerOf, openConsole, runOf, say, withoutChromium } from "./chromium.ts";

let world: AccessWorld;

/** What the server answers to a key. */
async function listStatus(key: string): Promise<number> {
  const headers = { authorization: `Bearer ${key}` };
  return (await fetch(`${world.url}/agents`, { headers })).status;
}

describe.skipIf(withoutChromium)("the console of a server that asks who one is", () => {
  beforeAll(async () => {
    world = await startAccessWorld();
  });

  it("asks for an API key, and shows its tenant's agents", async () => {
    const id = await world.addAgent(OWN);
    const { page } = await openConsole(world.url);
    const field = page.getByLabel(/^API key or token/);
    await field.waitFor();
    expect(await page.locator(".agent-row").count()).toBe(0);
    await field.fill((await world.key("admin")).text);
    await page.keyboard.press("Enter");
    await page.locator(`[data-agent="${id}"]`).waitFor();
    await page.reload();
    await page.locator(`[data-agent="${id}"]`).waitFor();
  });

  it("keeps the key only in the tab, and out of every address", async () => {
    const { page } = await openConsole(world.url);
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    const { text } = await world.key("viewer");
    await page.getByLabel(/^API key or token/).fill(text);
    await page.keyboard.press("Enter");
    await expect.poll(() => page.locator(".connection").innerText()).toBe("live");
    expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain(text);
    expect(asked.join("\n")).not.toContain(text);
    expect(page.url()).not.toContain(text);
  });

  it("leaves nothing of who was there after signing out", async () => {
    const id = await world.addAgent(OWN);
    const { page } = await openConsole(world.url, { hash: `#/agents/${id}/chat` });
    await page.getByLabel(/^API key or token/).fill((await world.key("admin")).text);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Signed in" }).waitFor();
    await say(page, "a private question");
    await answerOf(runOf(page), "interrupted");
    await page.getByRole("button", { name: "Signed in" }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await expect.poll(() => page.locator(".run").count()).toBe(0);
    expect(await page.evaluate(() => Object.keys(sessionStorage))).toEqual([]);
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "Agents" }).click();
    await page.getByLabel("Filter agents").waitFor();
    expect(await page.locator(".agent-row").count()).toBe(0);
  });

  it("asks again if the key is refused, and after it was revoked", async () => {
    const { page } = await openConsole(world.url);
    const field = page.getByLabel(/^API key or token/);
    await field.fill("nonsense");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.getByRole("dialog").innerText()).toContain("not good");
    const { id, text } = await world.key("viewer");
    await field.fill(text);
    await page.keyboard.press("Enter");
    await expect.poll(() => page.locator(".connection").innerText()).toBe("live");
    await world.store.revokeKey(id, { subject: "test", credential: "cli" });
    await until("the server has heard of it", async () => (await listStatus(text)) === 401, 20_000);
    await page.reload();
    await expect.poll(() => page.getByRole("dialog").innerText()).toContain("not good");
  });

  it("says what a credential may not do", async () => {
    const id = await world.addAgent(OWN);
    const { page } = await openConsole(world.url);
    await page.getByLabel(/^API key or token/).fill((await world.key("viewer")).text);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: `Delete ${id}` }).click();
    await page.getByRole("button", { name: "Delete it" }).click();
    await expect.poll(() => page.getByRole("alert").innerText()).toContain("PERMISSION_DENIED");
  });
});
