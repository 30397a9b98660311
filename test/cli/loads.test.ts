import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");

/** Prints the files that a program loads, one a line, when it ends. */
const recorder = `
import { registerHooks } from "node:module";
const urls = [];
registerHooks({ load(url, context, next) { urls.push(url); return next(url, context); } });
process.on("exit", () => process._rawDebug(urls.join("\\n")));
`;

/** The sources, even if there is a bundle of them. */
const fromSources = `
import { main } from ${JSON.stringify(join(root, "bin/main.ts"))};
await main(process.argv.slice(2), process.env);
`;

/** Paths from the top of the tree of what \`valinor\` loads to run a command. */
async function loaded(...args: string[]): Promise<string[]> {
  const hooks = `data:text/javascript,${encodeURIComponent(recorder)}`;
  const { stderr } = await promisify(execFile)(
    process.execPath,
    ["--import", hooks, "--input-type=module", "--eval", fromSources, "valinor", ...args],
    { env: { ...process.env, VALINOR_SERVER: "http://127.0.0.1:1" } },
  ).catch((error: unknown) => error as { stderr: string });
  const top = `file://${root}/`;
  return stderr
    .split("\n")
    .filter((line) => line.startsWith(top))
    .map((line) => line.slice(top.length));
}

test.each([["--version"], ["agents --help"], ["agents ls"], ["dev --help"]])(
  "valinor %s starts without loading the control plane, which takes half a second",
  async (command) => {
    const files = await loaded(...command.split(" "));
    expect(files).toContain("cli/main.ts");
    expect(files.filter((file) => file.startsWith("src/"))).toEqual([]);
  },
);
