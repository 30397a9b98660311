import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { type Store, StoreError } from "./store/store.ts";

/**
 * Creates the agents of the configuration that are missing; those that exist stay as they are. Rejects with StoreError `unavailable` if
 * the store does not answer; an agent that can't be created for another reason is logged.
 */
export async function seed(config: Config, store: Store, logger: Logger): Promise<void> {
  for (const agent of config.agents) {
    if ((await store.getAgent(agent)) !== undefined) continue;
    try {
      await store.createAgent(agent, { subject: "config", credential: "config" });
      logger.info({ tenant: agent.tenant, agent: agent.id }, "agent created from the configuration");
    } catch (error) {
      // One bad entry must not keep every other agent's control plane from starting.
      if (!(error instanceof StoreError) || error.code === "unavailable") throw error;
      logger.error({ tenant: agent.tenant, agent: agent.id, reason: error.message }, "agent not created");
    }
  }
}
