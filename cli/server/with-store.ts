import { existsSync } from "node:fs";
import { openStore, type Store, StoreError } from "@valinor/server";
import type { Environment } from "../terminal/environment.ts";
import { CliError, explainStoreError } from "../terminal/errors.ts";
import { readConfig } from "./read-config.ts";

/**
 * Opens the configured store for a command, and closes it afterwards. A SQLite file that is not there is made only with `make`: if
 * the configuration was forgotten, a new and empty store would seem to be the right one. Rejects with CliError if there is none, or it
 * fails.
 */
export async function withStore<T>(
  { config: file }: { readonly config?: string },
  env: Environment,
  use: (store: Store) => Promise<T>,
  { make = false }: { readonly make?: boolean } = {},
): Promise<T> {
  const config = readConfig({ file, env: { ...env }, mode: "serve" });
  const { store: location } = config;
  if (!make && location.kind === "sqlite" && !existsSync(location.path)) {
    throw new CliError(
      `there is no store ${location.path}: name the server's configuration with --config, or its store with VALINOR_STORE_URL`,
    );
  }
  try {
    const store = await openStore(location);
    try {
      return await use(store);
    } finally {
      await store.close();
    }
  } catch (error) {
    if (error instanceof StoreError) throw explainStoreError(error);
    throw error;
  }
}
