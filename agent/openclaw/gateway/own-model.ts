import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isObject } from "@valinor/protocol";

/**
 * The default model that OpenClaw had before a configuration named another one: `null` if it had none, `undefined` if no
 * configuration has changed it.
 */
export interface OwnModel {
  /** Rejects if it can't be read. */
  get(): Promise<string | null | undefined>;
  /** Rejects if it can't be written. */
  set(model: string | null | undefined): Promise<void>;
}

/** Remembers it in a file of the state directory; without one, until the agent ends. */
export function createOwnModel(stateDir: string | undefined): OwnModel {
  const path = stateDir === undefined ? undefined : join(stateDir, "openclaw-model.json");
  let known: { readonly model: string | null | undefined } | undefined;
  return {
    async get() {
      known ??= { model: path === undefined ? undefined : await read(path) };
      return known.model;
    },
    async set(model) {
      known = { model };
      if (path === undefined) return;
      await writeFile(`${path}.new`, JSON.stringify({ model }), { mode: 0o600 });
      await rename(`${path}.new`, path);
    },
  };
}

/** What the file says; a file that does not exist or makes no sense says nothing. Rejects if it can't be read for another reason. */
async function read(path: string): Promise<string | null | undefined> {
  try {
    const value = JSON.parse(await readFile(path, "utf8")) as unknown;
    const model = isObject(value) ? value["model"] : undefined;
    return typeof model === "string" || model === null ? model : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
