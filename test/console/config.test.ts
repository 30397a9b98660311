import { randomBytes } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { type Stack, startStack } from "../e2e/stack.ts";
import { openConsole, withoutChromium } from "./chromium.ts";

let stack: Stack;
let made = 0;

/** The configuration page of a new agent. */
async function openConfig() {
  const agentId = `agent-${++made}`;
  await stack.addAgent(agentId);
  const opened = await openConsole(stack.url, { hash: `#/agents/${agentId}/config` });
  const editor = opened.page.getByLabel(/^JSON/);
  await editor.waitFor();
  return { ...opened, agentId, editor };
}

describe.skipIf(withoutChromium)("an agent's configuration in the console", () => {
  beforeAll(async () => {
    stack = await startStack({ secrets: { key: randomBytes(32).toString("base64") } });
  });

  it("is pushed with its tool policy, and said to be in force once the agent has it", async () => {
    const { page, agentId, editor, complaints } = await openConfig();
    await editor.fill(`{"temperature": 0.2, "note": "mist"}`);
    await page.getByLabel(/^only these/).check();
    await page.getByLabel("Names of tools, one a line").fill("search\nread_file\n\nsearch");
    await page.getByRole("button", { name: "Push", exact: true }).click();
    await expect.poll(() => page.locator(".notice").innerText()).toContain("the agent has it in force");
    const { revisions } = await stack.registry.listConfigRevisions({ agentId });
    expect(revisions[0]).toMatchObject({
      revision: 2,
      config: { temperature: 0.2, note: "mist" },
      toolPolicy: { mode: 2, tools: ["search", "read_file"] },
    });
    const entry = page.locator('[data-revision="2"]');
    await expect.poll(() => entry.innerText()).toContain("applied");
    expect(await entry.innerText()).toContain("/config/temperature");
    expect(complaints).toEqual([]);
  });

  it("is checked as it is written, with line and column, and not pushed while it is wrong", async () => {
    const { page, editor } = await openConfig();
    await editor.fill(`{\n  "a": 1,\n}`);
    expect(await page.locator("#config-fault").innerText()).toContain("Line 3, column 1");
    expect(await page.getByRole("button", { name: "Push", exact: true }).isDisabled()).toBe(true);
    await editor.fill("[]");
    expect(await page.locator("#config-fault").innerText()).toContain("an object");
    await editor.fill("{}");
    expect(await page.locator("#config-fault").innerText()).toBe("");
  });

  it("that somebody else has changed meanwhile is not overwritten unseen", async () => {
    const { page, agentId, editor } = await openConfig();
    await editor.fill(`{"mine": 1}`);
    await stack.proxy.pushConfig({ agentId, config: { theirs: 1 } });
    const conflict = page.locator(".conflict");
    await expect.poll(() => conflict.innerText()).toContain("Revision 2");
    expect(await editor.inputValue()).toBe(`{"mine": 1}`);
    await page.getByRole("button", { name: "Push", exact: true }).click();
    await expect.poll(() => conflict.innerText()).toContain("Nothing of yours was pushed");
    await conflict.getByRole("button", { name: "Show the difference" }).click();
    const diff = conflict.locator(".diff");
    expect(await diff.locator(".removed").innerText()).toContain("theirs");
    expect(await diff.locator(".added").innerText()).toContain("mine");
    const before = await stack.registry.listConfigRevisions({ agentId });
    expect(before.revisions).toHaveLength(2);
    await conflict.getByRole("button", { name: "Push mine over it" }).click();
    await expect.poll(() => page.locator(".notice.good").innerText()).toContain("Revision 3");
    const after = await stack.registry.listConfigRevisions({ agentId });
    expect(after.revisions[0]?.config).toEqual({ mine: 1 });
  });

  it("gives way to the newer revision when asked to", async () => {
    const { page, agentId, editor } = await openConfig();
    await editor.fill(`{"mine": 1}`);
    await stack.proxy.pushConfig({ agentId, config: { theirs: 1 } });
    await page.getByRole("button", { name: "Take theirs" }).click();
    await expect.poll(() => editor.inputValue()).toContain("theirs");
    expect(await page.locator(".conflict").count()).toBe(0);
  });

  it("follows a change made elsewhere while nothing is being written", async () => {
    const { agentId, editor } = await openConfig();
    await stack.proxy.pushConfig({ agentId, config: { elsewhere: true } });
    await expect.poll(() => editor.inputValue()).toContain("elsewhere");
  });

  it("is compared between any two revisions, and rolled back", async () => {
    const { page, agentId, editor } = await openConfig();
    for (const note of ["one", "two", "three"]) await stack.proxy.pushConfig({ agentId, config: { note } });
    await page.locator('[data-revision="4"]').waitFor();
    await page.getByRole("combobox", { name: "From" }).selectOption("2");
    await page.getByRole("combobox", { name: "To" }).selectOption("4");
    const diff = page.locator("#compare .diff");
    expect(await diff.locator(".removed").innerText()).toContain('"one"');
    expect(await diff.locator(".added").innerText()).toContain('"three"');
    await page.getByRole("button", { name: "Roll back to 2" }).click();
    await page.getByRole("button", { name: "Roll back", exact: true }).click();
    const entry = page.locator('[data-revision="5"]');
    await expect.poll(() => entry.innerText()).toContain("a copy of revision 2");
    await expect.poll(() => editor.inputValue()).toContain('"one"');
    const { revisions } = await stack.registry.listConfigRevisions({ agentId });
    expect(revisions[0]).toMatchObject({ revision: 5, config: { note: "one" }, rollbackOf: 2 });
  });

  it("that the agent refuses says why", async () => {
    const { page, editor } = await openConfig();
    await editor.fill(`{"temperature": "hot"}`);
    await page.getByRole("button", { name: "Push", exact: true }).click();
    await expect.poll(() => page.locator(".notice.warn").innerText()).toContain("temperature");
    await expect.poll(() => page.locator('[data-revision="2"]').innerText()).toContain("refused");
  });

  it("shows no secret, and keeps one that is pushed again as it is shown", async () => {
    const { page, agentId, editor } = await openConfig();
    await editor.fill(`{"key": "secret:mellon", "note": 1}`);
    await page.getByRole("button", { name: "Push", exact: true }).click();
    await expect.poll(() => editor.inputValue()).toContain("secret:[redacted]");
    expect(await page.content()).not.toContain("mellon");
    await editor.fill((await editor.inputValue()).replace("1", "2"));
    await page.getByRole("button", { name: "Push", exact: true }).click();
    await expect.poll(() => page.locator(".notice.good").innerText()).toContain("Revision 3");
    const { revisions } = await stack.registry.listConfigRevisions({ agentId });
    expect(revisions[0]).toMatchObject({
      changedPaths: ["/config/note"],
      config: { key: "secret:[redacted]" },
    });
  });

  it("keeps a draft while another tab of the page is looked at", async () => {
    const { page, editor } = await openConfig();
    await editor.fill(`{"draft": 1}`);
    await page.getByRole("link", { name: "Status" }).click();
    await page.getByRole("link", { name: "Config" }).click();
    expect(await editor.inputValue()).toBe(`{"draft": 1}`);
    await page.getByRole("button", { name: "Discard changes" }).click();
    expect(await editor.inputValue()).toBe("{}");
  });

  it("has a context beside it, set and removed by key", async () => {
    const { page, agentId } = await openConfig();
    await page.getByRole("link", { name: "Context" }).click();
    await page.getByLabel(/^Entry/).fill("about");
    await page.getByLabel("Text").fill("You live in a microVM.");
    await page.getByRole("button", { name: "Set the entry" }).click();
    await expect.poll(() => page.locator(".notice.good").innerText()).toContain("the agent has it");
    const { content } = await stack.proxy.sendMessage({ agentId, message: { content: "hello" } });
    expect(content).toContain("hello");
    await page.reload();
    const entry = page.locator(".entry", { hasText: "about" });
    await entry.getByRole("button", { name: "Remove" }).click();
    await expect.poll(() => page.locator(".entry").count()).toBe(0);
  });
});
