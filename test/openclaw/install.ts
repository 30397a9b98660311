import type { TestProject } from "vitest/node";
import { installOpenClaw } from "../../scripts/openclaw/install.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Path of OpenClaw's program, or why there is none. */
    openclaw: { readonly program: string } | { readonly missing: string };
  }
}

/** Installs OpenClaw before the tests. If that fails they are skipped and say why; in CI it is an error. */
export async function setup(project: TestProject): Promise<void> {
  try {
    const program = await installOpenClaw((line) => process.stderr.write(`${line}\n`));
    project.provide("openclaw", { program });
  } catch (error) {
    if (process.env["CI"]) throw error;
    const missing = `OpenClaw could not be installed: ${String(error)}`;
    process.stderr.write(`skipped: ${missing}\n`);
    project.provide("openclaw", { missing });
  }
}
