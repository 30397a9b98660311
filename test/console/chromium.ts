import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, expect } from "vitest";
import { afterFile } from "../helpers/cleanup.ts";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Path of the machine's Chromium; undefined if there is none. */
export const chromiumPath: string | undefined = findChromium();

/** True if the tests of this folder cannot run. Under CI they fail instead of being left out. */
export const withoutChromium = chromiumPath === undefined && process.env["CI"] === undefined;

/** A page of the console, and what it did that it should not. */
export interface ConsolePage {
  readonly page: Page;
  /** Errors and warnings in the page's log, violations of its policy among them. */
  readonly complaints: string[];
  /** Addresses of other origins that it asked for. */
  readonly strayRequests: string[];
}

/** How a page differs from the usual: 1280 x 800, light. */
export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** Part of the address after `#`. */
  readonly hash?: string;
}

let browser: Promise<Browser> | undefined;

afterAll(async () => (await browser)?.close());

/** Opens the console of a control plane in a browser profile of its own; it is closed after the last test of the file. */
export async function openConsole(url: string, options: PageOptions = {}): Promise<ConsolePage> {
  browser ??= launch();
  const { width = 1280, height = 800, dark = false, hash = "" } = options;
  const context = await (
    await browser
  ).newContext({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    ignoreHTTPSErrors: true,
    locale: "en-GB",
  });
  afterFile(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  const strayRequests: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("request", (request) => {
    const asked = request.url();
    if (!asked.startsWith(`${url}/`) && !asked.startsWith("data:")) strayRequests.push(asked);
  });
  await page.goto(`${url}/console/${hash}`);
  return { page, complaints, strayRequests };
}

/** Writes a message and sends it with Enter. */
export async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.keyboard.press("Enter");
}

/** The n-th message and its answer in the conversation that is open; -1 is the last. */
export function runOf(page: Page, n = -1): Locator {
  return n < 0 ? page.locator(".run").last() : page.locator(".run").nth(n);
}

/** Waits until a run is in a state, and answers its text. */
export async function answerOf(run: Locator, state = "done"): Promise<string> {
  await expect.poll(() => run.getAttribute("data-state"), { timeout: 30_000 }).toBe(state);
  return textOf(run);
}

/** The answer's text, part after part. */
export async function textOf(run: Locator): Promise<string> {
  return (await run.locator(".parts .part").allTextContents()).join("");
}

/** `word1 word2 ...` up to n: what the scripted model makes of `!words N`. */
export function wordsUpTo(n: number): string {
  return Array.from({ length: n }, (_, index) => `word${index + 1}`).join(" ");
}

async function launch(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error(`none of ${names.join(", ")} is on the path`);
  return await chromium.launch({
    executablePath: chromiumPath,
    // Names of the world outside lead nowhere: the tests speak with this machine alone.
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    ],
  });
}

function findChromium(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
