import { openSqliteStore, StoreError } from "@valinor/server";
import { CliError } from "@valinor/cli/internal";

/** The agent that `valinor dev` runs. */
export const DEMO = { tenant: "default", id: "demo" } as const;

const ACTOR = { subject: "dev", credential: "cli" };

/**
 * Makes sure that the store holds the demo agent at this address. Call it before the control plane opens the
 * store.
 */
export async function placeDemoAgent(storePath: string, address: string): Promise<void> {
  const store = await openSqliteStore(storePath);
  try {
    const agent = await store.getAgent(DEMO);
    if (agent === undefined) await store.createAgent({ ...DEMO, ...place(address) }, ACTOR);
    else if (agent.address !== address || agent.status !== "RUNNING")
      await store.updateAgent(DEMO, place(address), "", ACTOR);
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

function place(address: string) {
  return { status: "RUNNING", vsockCid: 0, address } as const;
}
