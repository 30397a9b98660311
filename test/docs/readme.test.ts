import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { commandsOf, parsePage, patternOf, squeeze } from "./page.ts";
import { startDevServer } from "./servers.ts";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const commands = parsePage(readme)
  .flatMap(({ blocks }) => blocks)
  .filter(({ language }) => language === "console")
  .flatMap(commandsOf)
  .filter(({ command }) => command.startsWith("curl"));

it("finds the README's commands", () => {
  expect(commands.length).toBeGreaterThan(3);
});

it("prints what the README says, command after command", async () => {
  const { url } = await startDevServer();
  const printed: string[] = [];
  for (const { command } of commands) {
    const aimed = command.replaceAll("http://127.0.0.1:8080", url);
    const { stdout } = await promisify(execFile)("bash", ["-c", aimed], { timeout: 30_000 });
    printed.push(squeeze(stdout));
  }
  expect(printed).toEqual(commands.map(({ output }) => expect.stringMatching(patternOf(output)) as string));
}, 90_000);
