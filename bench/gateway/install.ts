/**
 * Installs the gateways that Valinor is compared with, in exact versions, into a folder of their own: `node bench/gateway/install.ts [DIR]`.
 * One that does not install is told, and the others are installed all the same.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_DIR, LITELLM, PORTKEY, PORTKEY_HONO_SERVER } from "./versions.ts";

const dir = process.argv[2] ?? DEFAULT_DIR;
mkdirSync(dir, { recursive: true });

install("LiteLLM", [
  ["python3", "-m", "venv", join(dir, "litellm")],
  [join(dir, "litellm/bin/pip"), "install", "--no-input", "--quiet", `litellm[proxy]==${LITELLM}`],
]);
const packages = {
  private: true,
  dependencies: { "@portkey-ai/gateway": PORTKEY },
  overrides: { "@hono/node-server": PORTKEY_HONO_SERVER },
};
writeFileSync(join(dir, "package.json"), JSON.stringify(packages));
install("Portkey", [["npm", "install", "--prefix", dir, "--no-audit", "--no-fund"]]);

/** Runs commands, one after the other, until one fails. */
function install(name: string, commands: readonly (readonly string[])[]): void {
  for (const [program = "", ...args] of commands) {
    const { status, error } = spawnSync(program, args, { stdio: "inherit" });
    if (status === 0) continue;
    console.error(`${name} is not installed: ${program} ended with ${error?.message ?? status}`);
    process.exitCode = 1;
    return;
  }
  console.log(`${name} is installed in ${dir}`);
}
