import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const root = join(import.meta.dirname, "../..");
const scripts = join(root, "test/e2e/python");
const venv = join(root, "node_modules/.cache/valinor-python");

/** Making the environment takes half a minute if its packages have to be fetched. Give hooks that wait for it as much. */
export const PYTHON_MS = 300_000;

let made: Promise<string> | undefined;

/**
 * Path of a Python that has what test/e2e/python/requirements.txt lists. Its environment is made once, under node_modules/.cache;
 * test processes that ask at the same time wait for the one that makes it. Rejects if there is no python3 or the packages
 * can't be installed within PYTHON_MS.
 */
export function pythonVenv(): Promise<string> {
  made ??= makeVenv();
  return made;
}

/** The same, for `describe.skipIf`: why there is no such Python, if that is so. Under CI it rejects instead. */
export async function pythonOrReason(): Promise<{ readonly python: string; readonly skip?: string }> {
  try {
    return { python: await pythonVenv() };
  } catch (error) {
    if (process.env["CI"]) throw error;
    return { python: "", skip: `no Python environment: ${String(error).split("\n", 1)[0]}` };
  }
}

async function makeVenv(): Promise<string> {
  const args = [join(scripts, "make_venv.py"), venv, join(scripts, "requirements.txt")];
  await promisify(execFile)("python3", args, { timeout: PYTHON_MS });
  return join(venv, "bin/python");
}
