import type { Address } from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";
import type { Log } from "../log.ts";

/** `openclaw`: names an agent and keeps sessions. `plain`: any other server of OpenAI's API. */
export type ServerKind = "openclaw" | "plain";

/** How an agent is started. */
export interface AgentOptions {
  /** Where it listens; port 0 of tcp takes a free one. */
  readonly address: Address;
  /** Where OpenClaw, or another server of OpenAI's chat completions, is: `http://localhost:8081`. */
  readonly openclawUrl: string;
  /** What is there; undefined: it is found out. */
  readonly serverKind?: ServerKind | undefined;
  /** Bearer token for it. */
  readonly openclawToken?: string | undefined;
  /** Secret that hosts must tell. Required on tcp and unix, unless `insecure`. */
  readonly token?: string | undefined;
  /** Lets in any host that reaches the agent; on tcp only if the agent listens on loopback. */
  readonly insecure?: boolean | undefined;
  /** Directory of the ledger, for this agent alone; without one, requests are remembered for this boot only. */
  readonly stateDir?: string | undefined;
  /** True: nobody asked for that directory, and the agent starts without one if it cannot be used. */
  readonly stateDirByDefault?: boolean | undefined;
  /** Id of the agent, told in heartbeats so that a host knows that it reached the right one. */
  readonly agentId?: string | undefined;
  /** Bounds other than the default ones. */
  readonly bounds?: Partial<Bounds> | undefined;
  /** Default: JSON lines on standard error. */
  readonly log?: Log | undefined;
}
