import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../helpers/cleanup.ts";
import { spawnProgram } from "../helpers/process.ts";

/** Other people's programs, built from the versions that go.mod here pins. */
export interface Tools {
  readonly conformance: string;
  readonly h2spec: string;
  /** The schemas of the runner's messages, as `buf build` writes them. */
  readonly schemas: string;
}

/** Builds the programs, which takes minutes if Go's cache is empty, and reads the runner's schemas from its module. */
export async function buildTools(): Promise<Tools> {
  const dir = join(tempDir(), "bin");
  mkdirSync(dir);
  const here = { cwd: import.meta.dirname };
  const packages = [
    "connectrpc.com/conformance/cmd/connectconformance",
    "github.com/summerwind/h2spec/cmd/h2spec",
  ];
  await run("go", ["build", "-o", `${dir}/`, ...packages], here);
  const module = (
    await run("go", ["list", "-m", "-f", "{{.Dir}}", "connectrpc.com/conformance"], here)
  ).trim();
  const schemas = join(dir, "schemas.binpb");
  const buf = join(import.meta.dirname, "../../node_modules/.bin/buf");
  await run(buf, ["build", "--path", "connectrpc", "-o", schemas], { cwd: join(module, "proto") });
  return { conformance: join(dir, "connectconformance"), h2spec: join(dir, "h2spec"), schemas };
}

async function run(command: string, args: readonly string[], options: { cwd: string }): Promise<string> {
  const program = spawnProgram(command, args, options);
  const { code } = await program.exited;
  if (code !== 0) throw new Error(`${command} ${args[0]} failed: ${program.stderr()}`);
  return program.stdout();
}

/** Runs one of the programs to its end; answers all that it printed. It ends with an error if a case failed: that is not one here. */
export async function output(command: string, args: readonly string[]): Promise<string> {
  const program = spawnProgram(command, args);
  await program.exited;
  return program.stdout() + program.stderr();
}

/** What became of a run of Connect's conformance runner. */
export interface Verdict {
  readonly total: number;
  /** Names of the cases that failed. */
  readonly failed: ReadonlySet<string>;
}

/** Runs the conformance runner with these flags, and tells its verdict under this name. Rejects if there is none. */
export async function runnerVerdict(tools: Tools, name: string, flags: readonly string[]): Promise<Verdict> {
  const text = await output(tools.conformance, flags);
  const failed = [...text.matchAll(/^FAILED: (.+):$/gm)].map(([, each = ""]) => each);
  const total = Number(/^Total cases: (\d+)$/m.exec(text)?.[1] ?? 0);
  console.log(`${name}: ${total - failed.length} of ${total} cases passed`);
  if (total === 0) throw new Error(`the runner told no verdict: ${text.slice(-2_000)}`);
  for (const each of failed) console.log(`  failed: ${each}`);
  return { total, failed: new Set(failed) };
}
