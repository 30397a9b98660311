import { spawnSync } from "node:child_process";
import { join } from "node:path";

const top = join(import.meta.dirname, "../..");

/** Builds the artefacts, before the first test. */
export function setup(): void {
  const script = join(top, "scripts/agent/build.ts");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    encoding: "utf8",
    timeout: 90_000,
  });
  if (status !== 0) throw new Error(`the build ended with ${status}\n${stdout}${stderr}`);
}

/** The artefacts: how each is started, without flags, and its files. */
export const artefacts = {
  "the single executable": {
    command: [join(top, "dist/agent/valinor-agent")],
    files: [join(top, "dist/agent/valinor-agent")],
  },
  "the bundle": {
    command: [process.execPath, join(top, "dist/agent/valinor-agent.cjs")],
    files: [join(top, "dist/agent/valinor-agent.cjs")],
  },
} as const;
