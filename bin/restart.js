import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { older } from "./version.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Runs this program again on a Node that is new enough, or exits with 1 and says what to do. */
export function restart(root, needed) {
  const binary = findNode(root, needed);
  if (binary === undefined) {
    console.error(
      `valinor needs Node ${needed} or newer, and this is ${process.versions.node}. Install it from ` +
        `https://nodejs.org, or run \`npm ci\` in ${root}: that brings one along for most platforms.`,
    );
    process.exit(1);
  }
  const args = process.execArgv.concat(process.argv.slice(1));
  // Becoming the other program leaves no parent that could be killed alone.
  if (typeof process.execve === "function" && process.platform !== "win32")
    process.execve(binary, [binary].concat(args));
  runAsChild(binary, args);
}

/** Finds the Node that stands in node_modules as an ordinary package, here or in a directory above. */
function findNode(root, needed) {
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  for (let dir = root, below = ""; dir !== below; below = dir, dir = dirname(dir)) {
    const home = join(dir, "node_modules", name);
    const binary = join(home, "bin", process.platform === "win32" ? "node.exe" : "node");
    if (!existsSync(binary)) continue;
    const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
    if (!older(version, needed)) return binary;
  }
  return undefined;
}

function runAsChild(binary, args) {
  const child = spawn(binary, args, { stdio: "inherit" });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`valinor cannot run ${binary}: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    for (const name of SIGNALS) process.removeAllListeners(name);
    if (signal === null) process.exit(code);
    else process.kill(process.pid, signal);
  });
}
