import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** Initramfs of a guest, from this working tree; empty if guests cannot be run here. */
    initrd: string;
    /** Why guests cannot be run here. */
    reason: string;
  }
}

const scripts = join(import.meta.dirname, "../../scripts/vm");

/**
 * Makes what guests need (scripts/vm/prepare.sh) and their initramfs. If that fails the suite is skipped with the reason;
 * in CI (`CI=true`) it fails.
 */
export async function setup(project: TestProject): Promise<() => void> {
  const reason = prepare();
  if (reason !== "" && process.env["CI"] === "true") throw new Error(reason);
  const directory = mkdtempSync(join(tmpdir(), "valinor-image-"));
  const initrd = reason === "" ? join(directory, "initrd") : "";
  if (initrd !== "")
    execFileSync(join(scripts, "image.sh"), [initrd], { stdio: ["ignore", "inherit", "inherit"] });
  else console.log(`skipped: ${reason}`);
  project.provide("initrd", initrd);
  project.provide("reason", reason);
  return () => rmSync(directory, { recursive: true, force: true });
}

/** Empty if everything is there now, else why not. */
function prepare(): string {
  if (process.platform !== "linux" || process.arch !== "x64")
    return "guests are run on Linux on x86-64 alone";
  const { status, error, stderr } = spawnSync(join(scripts, "prepare.sh"), {
    stdio: ["ignore", "inherit", "pipe"],
    encoding: "utf8",
  });
  if (status === 0) return "";
  return `scripts/vm/prepare.sh failed: ${error?.message ?? stderr.trim()}`;
}
