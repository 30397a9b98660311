import type { Convergence } from "../../../src/fleet/convergence/convergence.ts";
import type { Tasked } from "../engine/task.ts";
import type { AgentLinkParts } from "./agent-link.ts";
import type { HostAgent } from "./host-agent.ts";
import type { StoreModel } from "./store.ts";

/** What an agent's half in a host needs of the process around it. */
export interface HostAgentParts extends AgentLinkParts {
  readonly store: StoreModel;
  readonly makeConvergence: ConvergenceMaker;
  /** Runs something until it ends or the host dies. */
  spawn(body: Tasked<void>): void;
  /** What can be seen of the agent has changed. */
  onChange(agent: HostAgent): void;
}

/** Makes the kernel of convergence; tests of the auditors make another one. */
export type ConvergenceMaker = (...made: ConstructorParameters<typeof Convergence>) => Convergence;
