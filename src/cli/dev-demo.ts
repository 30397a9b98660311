import { openSqliteStore } from "../store/sqlite.ts";
import { StoreError, type Store } from "../store/store.ts";
import { CliError } from "./errors.ts";

/** The agent that `valinor dev` runs. */
export const DEMO = { tenant: "default", id: "demo" } as const;

/**
 * Makes sure that the store holds the demo agent at this address. Where its port had to change it is created anew, with the
 * configuration and context it had. Call it before the control plane opens the store.
 */
export async function placeDemoAgent(storePath: string, address: string): Promise<void> {
  const store = await openSqliteStore(storePath);
  try {
    const agent = await store.getAgent(DEMO);
    if (agent?.address !== address || agent.status !== "RUNNING") await recreate(store, address);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "address_taken") throw error;
    throw new CliError(
      `another agent of the store has the demo agent's address ${address}: delete it first`,
      {
        cause: error,
      },
    );
  } finally {
    await store.close();
  }
}

async function recreate(store: Store, address: string): Promise<void> {
  const config = await store.currentConfig(DEMO);
  const contexts = await store.contexts(DEMO);
  await store.deleteAgent(DEMO);
  await store.createAgent({ ...DEMO, status: "RUNNING", vsockCid: 0, address }, "dev");
  if (config !== undefined && config.revision > 1)
    await store.putConfig(DEMO, { ...config, expectedRevision: 0 });
  for (const entry of contexts) await store.putContext(DEMO, entry);
}
