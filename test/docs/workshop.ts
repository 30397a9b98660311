import { execFile } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect } from "vitest";
import { buildClient } from "../../clients/ts/build.ts";
import { chromium } from "playwright-core";
import { chromiumPath } from "../console/chromium.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { spawnProgram } from "../helpers/process.ts";
import { type Block, patternOf, type Section, squeeze } from "./page.ts";
import type { Place } from "./servers.ts";

const root = join(import.meta.dirname, "../..");
const modules = join(root, "node_modules");
/** What a block may take; Go's has code to fetch and to build if its cache is empty. */
const BLOCK_MS = 170_000;

/** What the page's install lines would have put on the machine. */
export interface Workshop {
  /** A folder with the packages for Node. */
  readonly modules: string;
  /** Folders with programs. */
  readonly path: readonly string[];
}

/**
 * Makes a workshop from what the repository has installed already: @valinor/client as its package has it, the repository's own npm
 * packages, grpcurl of test/e2e/grpcurl. `python` is a Python with the tests' packages, if there is one.
 */
export async function makeWorkshop(python: string): Promise<Workshop> {
  const own = join(tempDir(), "node_modules");
  const client = join(own, "@valinor/client");
  buildClient(client);
  for (const name of ["@bufbuild", "@connectrpc", "openai", "vite", ".bin"])
    symlinkSync(join(modules, name), join(own, name));

  const programs = tempDir();
  const grpcurl = `#!/bin/sh\nexec go -C '${join(root, "test/e2e/grpcurl")}' tool grpcurl "$@"\n`;
  writeFileSync(join(programs, "grpcurl"), grpcurl, { mode: 0o755 });
  const path = [programs, dirname(process.execPath)];
  if (python !== "") path.push(dirname(python));
  return { modules: own, path };
}

/**
 * Runs what a section has to be run, one block after the other in a fresh folder. Gives where and how what came out is not what the
 * page says; rejects if a block fails.
 */
export async function runSection(workshop: Workshop, section: Section, place: Place): Promise<string[]> {
  const faults: string[] = [];
  const dir = tempDir();
  symlinkSync(workshop.modules, join(dir, "node_modules"));
  writeFileSync(join(dir, "package.json"), "{}"); // npm install leaves one
  for (const block of section.blocks) {
    const code = aimedAt(place, block.code);
    if (block.file !== "") writeFileSync(join(dir, block.file), code);
    if (block.verb === "serve") await showPage(workshop, dir, { ...block, code }, place);
    if (block.verb !== "run" || (place.key !== undefined && callsWithoutKey(block))) continue;
    const command = block.file === "" ? code : `${block.language === "ts" ? "node" : "python"} ${block.file}`;
    const script = ["-eo", "pipefail", "-c", command];
    const options = { cwd: dir, env: envOf(workshop, place), timeout: BLOCK_MS };
    const { stdout } = await promisify(execFile)("bash", script, options);
    if (block.output !== undefined && !patternOf(block.output).test(squeeze(stdout)))
      faults.push(`docs/clients.md:${block.line} prints:\n${stdout}\nand not:\n${block.output}`);
  }
  return faults;
}

/** Says whether a block shows a call as it is if no credential is needed. */
function callsWithoutKey({ code }: Block): boolean {
  return code.includes("127.0.0.1:8080") && !code.includes("VALINOR_API_KEY");
}

/** Puts the addresses of a test's own server and page where the page has those of its readers. */
function aimedAt({ url, pagePort }: Place, code: string): string {
  return code.replaceAll("127.0.0.1:8080", new URL(url).host).replaceAll("5173", String(pagePort));
}

function envOf({ path }: Workshop, { url, key }: Place): NodeJS.ProcessEnv {
  // Colours are codes in the middle of words.
  const plain = { NO_COLOR: "1", FORCE_COLOR: "0" };
  const env: NodeJS.ProcessEnv = { ...process.env, ...plain, VALINOR: root, VALINOR_SERVER: url };
  env["PATH"] = [...path, process.env["PATH"]].join(delimiter);
  delete env["VALINOR_API_KEY"];
  return key === undefined ? env : { ...env, VALINOR_API_KEY: key };
}

/** Serves a page as a block says, and opens it in a browser. */
async function showPage(workshop: Workshop, cwd: string, block: Block, place: Place): Promise<void> {
  const server = spawnProgram("bash", ["-c", `exec ${block.code}`], { cwd, env: envOf(workshop, place) });
  await server.waitFor(/Local:/, { ms: 60_000 });
  const browser = await chromium.launch({
    ...(chromiumPath === undefined ? {} : { executablePath: chromiumPath }),
    args: ["--no-sandbox", "--disable-gpu"],
  });
  try {
    const page = await browser.newPage();
    const key = place.key ?? "";
    await page.addInitScript((text) => sessionStorage.setItem("VALINOR_API_KEY", text), key);
    await page.goto(`http://127.0.0.1:${place.pagePort}`);
    const shown = () => page.locator("output").textContent();
    await expect.poll(shown, { timeout: 60_000 }).toMatch(patternOf(block.output ?? ""));
  } finally {
    await browser.close();
    server.kill();
  }
}
