/**
 * Takes the pictures of the console that stand in the documentation: `node scripts/web/screenshots.ts`. Everything in them is real: a
 * control plane, agents and a scripted model run on loopback, and Chromium looks at them.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { buildConsole } from "./build.ts";
import { startScene } from "./scene.ts";

const top = join(import.meta.dirname, "../..");
const out = join(top, "docs/images");
/** What a picture in a README may weigh. */
const MAX_BYTES = 150_000;

const sizes = [
  { width: 1280, height: 860 },
  { width: 390, height: 844 },
];

async function main(): Promise<void> {
  await buildConsole();
  mkdirSync(out, { recursive: true });
  const data = mkdtempSync(join(tmpdir(), "valinor-"));
  const scene = await startScene(data);
  const browser = await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu"],
  });
  try {
    for (const size of sizes) await takeAll(browser, scene.url, size, false);
    await takeAll(browser, scene.url, { width: 1280, height: 860 }, true);
  } finally {
    await browser.close();
    await scene.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

async function takeAll(
  browser: Browser,
  url: string,
  size: { width: number; height: number },
  dark: boolean,
): Promise<void> {
  const context = await browser.newContext({
    viewport: size,
    colorScheme: dark ? "dark" : "light",
    locale: "en-GB",
    timezoneId: "UTC",
  });
  const page = await context.newPage();
  await page.goto(`${url}/console/`);
  const name = (view: string) => `console-${view}-${size.width}${dark ? "-dark" : ""}.png`;
  await page.getByText("mail-sorter").waitFor();
  if (!dark) await take(page, name("list"));
  await page.getByRole("link", { name: /^demo/ }).click();
  await chat(page);
  await take(page, name("chat"));
  if (!dark) {
    await page.getByRole("link", { name: "Config" }).click();
    await page.locator(".diff").waitFor();
    await take(page, name("config"));
  }
  await context.close();
}

/** A conversation with text, code and a tool call, and an answer that is still coming. */
async function chat(page: Page): Promise<void> {
  const box = page.getByLabel("Message", { exact: true });
  const say = async (text: string, state: string): Promise<void> => {
    await box.fill(text);
    await page.keyboard.press("Enter");
    await page
      .locator(".run")
      .last()
      .and(page.locator(`[data-state="${state}"]`))
      .waitFor();
  };
  await say('!echo The gate opens like this:\n```ts\nspeak("mellon");\n```\nAsk before you go in.', "done");
  await say('!tool search {"query":"mithril"}', "done");
  await say("!pace 5 !words 45 !stall 30", "streaming");
  await page.getByText("word45").last().waitFor();
}

async function take(page: Page, name: string): Promise<void> {
  const path = join(out, name);
  await page.mouse.move(0, 0);
  await page.screenshot({ path, animations: "disabled", caret: "hide" });
  const { size } = statSync(path);
  console.log(`${name}: ${Math.round(size / 1000)} kB`);
  if (size > MAX_BYTES) throw new Error(`${name} has ${size} bytes, over ${MAX_BYTES}`);
}

await main();
