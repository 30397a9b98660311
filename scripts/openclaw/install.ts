// Installs the OpenClaw that Valinor is tested against, outside of the project's own dependencies: it is 650 MB.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Names the version; its lock names those of all that it needs. */
const PINNED = join(import.meta.dirname, "package");
/** Where it is installed. */
export const INSTALL_DIR = join(import.meta.dirname, "../../.cache/openclaw");
/** Time that an installation may take. */
const INSTALL_MS = 15 * 60_000;
/** What npm said last, for an error. */
const TAIL_CHARS = 2_000;

/**
 * Installs it if it is missing or another version; no script of a package is run. Resolves with the path of its program.
 * Rejects with Error if npm fails.
 */
export async function installOpenClaw(log: (line: string) => void): Promise<string> {
  const program = join(INSTALL_DIR, "node_modules/openclaw/openclaw.mjs");
  const marker = join(INSTALL_DIR, "installed");
  const lock = await readFile(join(PINNED, "package-lock.json"), "utf8");
  if ((await readFile(marker, "utf8").catch(() => "")) === lock) return program;
  log(`installing OpenClaw into ${INSTALL_DIR}: a minute or two`);
  await mkdir(INSTALL_DIR, { recursive: true });
  for (const file of ["package.json", "package-lock.json"])
    await copyFile(join(PINNED, file), join(INSTALL_DIR, file));
  await npmInstall();
  await writeFile(marker, lock);
  return program;
}

async function npmInstall(): Promise<void> {
  const flags = ["ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"];
  const npm = spawn("npm", flags, {
    cwd: INSTALL_DIR,
    timeout: INSTALL_MS,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [npm.stdout, npm.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (said = (said + text).slice(-TAIL_CHARS)));
  }
  const [status, signal] = (await once(npm, "close")) as [number | null, string | null];
  if (status !== 0) throw new Error(`npm ci ended with ${status ?? signal}:\n${said}`);
}

if (import.meta.main) {
  const program = await installOpenClaw((line) => process.stderr.write(`${line}\n`));
  process.stdout.write(`${program}\n`);
}
