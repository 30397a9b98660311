import { execFile } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { Command } from "commander";
import { addAdminCommands } from "../../../../cli/server/admin-commands.ts";
import { addClientCommands } from "../../../../cli/client/commands.ts";
import { bashScript } from "../../../../cli/client/completion/bash.ts";
import { fishScript } from "../../../../cli/client/completion/fish.ts";
import { zshScript } from "../../../../cli/client/completion/zsh.ts";
import { commandWords } from "../../../../cli/client/completion/words.ts";
import { addServerCommands } from "../../../../cli/server/commands.ts";
import { startStack } from "../../../e2e/stack.ts";
import { tempDir } from "../../../helpers/cleanup.ts";
import { valinor } from "../run-command.ts";

const run = promisify(execFile);
const stack = await startStack();
await stack.addAgent("demo-two");

const dir = tempDir();
const program = join(dir, "valinor");
writeFileSync(
  program,
  `#!/bin/sh\nexec '${process.execPath}' '${join(import.meta.dirname, "../../../../bin/valinor.js")}' "$@"\n`,
);
chmodSync(program, 0o755);
const script = join(dir, "completion.bash");
const printed = await valinor(stack.url, ["completion", "bash"]);
writeFileSync(script, printed.stdout);
writeFileSync(join(dir, "settings.yaml"), "");

/** What bash offers for a line whose last word is being written, by the script as it is printed. */
async function complete(line: string, server = stack.url): Promise<string[]> {
  const code = `source '${script}'; COMP_LINE='${line}'; COMP_POINT=${line.length}; _valinor; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { ...process.env, PATH: `${dir}:${process.env["PATH"]}`, VALINOR_SERVER: server };
  const { stdout, stderr } = await run("bash", ["--norc", "-c", code], { env, cwd: dir });
  expect(stderr).toBe("");
  return stdout
    .split("\n")
    .filter((word) => word !== "")
    .toSorted();
}

describe("completion in bash", () => {
  it.each([
    ["valinor st", ["status", "stream"]],
    ["valinor agents ", ["create", "ls", "rm", "set", "watch"]],
    ["valinor config pu", ["push"]],
    ["valinor send --req", ["--request-id"]],
    ["valinor agents ls -o ", ["json", "table"]],
    ["valinor agents ls --output j", ["json"]],
    ["valinor agents set demo --status r", ["running"]],
    ["valinor completion ", ["bash", "fish", "zsh"]],
    ["valinor config push demo set", ["settings.yaml"]],
    ["valinor serve --config s", ["settings.yaml"]],
    ["valinor agents create ", []],
    ["valinor nothing ", []],
  ])("offers for %s: %j", async (line, expected) => {
    expect(await complete(line)).toEqual(expected);
  });

  it("offers the agents of the server, the one that the line names included, and is quiet if there is none", async () => {
    expect(await complete("valinor send de")).toEqual(["demo", "demo-two"]);
    expect(await complete("valinor config history --tenant default demo-")).toEqual(["demo-two"]);
    const named = `valinor status --server ${stack.url} d`;
    expect(await complete(named, "http://127.0.0.1:1")).toEqual(["demo", "demo-two"]);
    expect(await complete("valinor status d", "http://127.0.0.1:1")).toEqual([]);
  });
});

describe("completion scripts", () => {
  const top = new Command("valinor");
  addServerCommands(top, {});
  addAdminCommands(top, {});
  addClientCommands(top, {});
  const words = commandWords(top);

  it.each([
    ["bash", bashScript],
    ["zsh", zshScript],
    ["fish", fishScript],
  ])("for %s know every command and every flag", (_name, make) => {
    const text = make(words);
    const names = words.flatMap(({ path, flags }) => [
      ...path.split(" "),
      ...flags.map(({ long }) => long.slice(2)),
    ]);
    expect(names.filter((name) => !text.includes(name))).toEqual([]);
  });

  it("is made for shells that are known alone", async () => {
    expect(printed.code).toBe(0);
    expect(await valinor(stack.url, ["completion", "tcsh"])).toMatchObject({ code: 2, stdout: "" });
  });
});
