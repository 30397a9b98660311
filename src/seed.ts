import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { MAX_CREATED, type NewAgent, type Store, StoreError } from "./store/store.ts";

const ACTOR = { subject: "config", credential: "config" };

/**
 * Creates the agents of the configuration that are missing, many in each transaction; those that exist stay as they are. Rejects with
 * StoreError `unavailable` if the store does not answer; an agent that can't be created for another reason is logged.
 */
export async function seed(config: Config, store: Store, logger: Logger): Promise<void> {
  for (let from = 0; from < config.agents.length; from += MAX_CREATED) {
    const agents = config.agents.slice(from, from + MAX_CREATED);
    const results = await store.createAgents(agents, ACTOR);
    for (const [index, agent] of agents.entries()) tell(agent, results[index], logger);
  }
}

/** One bad entry must not keep every other agent's control plane from starting. */
function tell({ tenant, id }: NewAgent, result: unknown, logger: Logger): void {
  if (!(result instanceof StoreError))
    logger.info({ tenant, agent: id }, "agent created from the configuration");
  else if (result.code !== "exists")
    logger.error({ tenant, agent: id, reason: result.message }, "agent not created");
}
