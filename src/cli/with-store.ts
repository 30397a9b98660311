import { openStore } from "../store/open.ts";
import { type Store, StoreError } from "../store/store.ts";
import type { Environment } from "./environment.ts";
import { explainStoreError } from "./errors.ts";
import { readConfig } from "./read-config.ts";

/** Opens the configured store for a command, and closes it afterwards. Rejects with CliError where the store fails. */
export async function withStore<T>(
  { config: file }: { readonly config?: string },
  env: Environment,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  const config = readConfig({ file, env: { ...env }, mode: "serve" });
  try {
    const store = await openStore(config.store);
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
