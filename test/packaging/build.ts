import { spawnSync } from "node:child_process";
import { join } from "node:path";

const top = join(import.meta.dirname, "../..");

/** Builds the artefacts, before the first test. */
export function setup(): void {
  for (const script of ["scripts/agent/build.ts", "scripts/web/build.ts", "scripts/server/build.ts"]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(top, script)], {
      encoding: "utf8",
      timeout: 90_000,
    });
    if (status !== 0) throw new Error(`${script} ended with ${status}\n${stdout}${stderr}`);
  }
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
