/**
 * Builds what goes into a guest, into dist/agent: `valinor-agent`, one executable that holds Node and the agent, and
 * `valinor-agent.cjs`, the agent alone for a guest that has a Node of its own; `LICENSES.txt` belongs to both. See docs/guest.md, "Building the agent".
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { older } from "../../bin/version.js";
import { licenseTexts, nodeLicense, packagesOf } from "../licenses/collect.ts";
import { bundleAgent } from "./bundle.ts";

/** First version of Node with `--build-sea`. */
const NEEDED = "25.5.0";
const dist = join(import.meta.dirname, "../../dist/agent");

/** The bundle's name in the executable, which repeats it. */
const MAIN = "valinor-agent.cjs";

/** V8 draws numbers while it makes the code cache, and they stand in it: with this seed two builds make the same file. */
const SEED = "--random-seed=1";

await build();

async function build(): Promise<void> {
  if (older(process.versions.node, NEEDED))
    throw new Error(
      `this needs Node ${NEEDED} or newer, and this is ${process.versions.node}: npm run uses 26`,
    );
  mkdirSync(dist, { recursive: true });
  const bundle = join(dist, "valinor-agent.cjs");
  const modules = await bundleAgent(bundle);
  tell(bundle);
  const licenses = join(dist, "LICENSES.txt");
  writeFileSync(licenses, nodeLicense() + licenseTexts(packagesOf(modules)));
  tell(licenses);
  const work = mkdtempSync(join(tmpdir(), "valinor-build-"));
  try {
    const program = join(work, "valinor-agent");
    copyFileSync(bundle, join(work, MAIN));
    makeExecutable(stripped(work), program, work);
    // Replaced whole, so that an agent that runs from the file keeps its own.
    const target = join(dist, "valinor-agent");
    rmSync(target, { force: true });
    copyFileSync(program, target);
    tell(target);
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** The Node that runs this, without its symbols: a fifth of its size. If `strip` is missing, as it is. */
function stripped(work: string): string {
  const node = join(work, "node");
  const { error, status, stderr } = spawnSync("strip", ["-o", node, process.execPath], { encoding: "utf8" });
  if (error === undefined && status === 0) return node;
  const why = error === undefined ? stderr.trim() : error.message;
  console.warn(
    `warning: the symbols stay in, ${megabytes(process.execPath)} in place of about 116 MB: ${why}. ` +
      `\`strip\` is in the package binutils`,
  );
  return process.execPath;
}

/** Joins Node and the bundle. The build of Node is the one that will run, so its code cache is of the right version. */
function makeExecutable(executable: string, output: string, work: string): void {
  const config = {
    main: MAIN,
    executable,
    output,
    disableExperimentalSEAWarning: true,
    // A snapshot in its place would start the agent while it is built, and Node does not vouch for node:http in one.
    useCodeCache: true,
    // vsock goes through node:ffi, which still warns. 0 threads: as many as the guest has processors for, not four; those
    // that start in vain cost the start 8 ms.
    execArgv: ["--disable-warning=ExperimentalWarning", "--v8-pool-size=0"],
    // NODE_OPTIONS of a guest is meant for OpenClaw, which runs on Node too.
    execArgvExtension: "none",
  };
  const file = join(work, "sea.json");
  writeFileSync(file, JSON.stringify(config));
  const { status, stdout, stderr } = spawnSync(process.execPath, [SEED, "--build-sea", file], {
    cwd: work,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`node --build-sea ended with ${status}\n${stdout}${stderr}`);
}

function tell(file: string): void {
  console.log(`${file}  ${megabytes(file)}`);
}

function megabytes(file: string): string {
  return `${(statSync(file).size / 1e6).toFixed(1)} MB`;
}
