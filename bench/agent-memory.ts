import { setTimeout as sleep } from "node:timers/promises";
import type { HostArgument } from "./agent-host.ts";
import { type AgentProcess, startAgentProcess } from "./agent-process.ts";
import type { AgentVariant } from "./agent-variants.ts";
import { type Child, startChild } from "./child.ts";
import { processCpuUs, processMemory } from "./proc.ts";

/** Where an agent and its load run, and what it calls. */
export interface MemoryPlace {
  readonly modelUrl: string;
  readonly agentCore: number;
  readonly loadCore: number;
}

/** An agent under as many streams as it takes, each of a model that floods. Megabytes of 2^20 bytes, resident. */
export interface UnderStreams {
  /** The most while they ran. */
  readonly most: number;
  /** After they were cancelled and nothing was asked for some time. */
  readonly after: number;
  /** CPU for a chunk, microseconds. */
  readonly chunkUs: number;
}

/** As many as an agent has in flight. */
const STREAMS = 64;
const LOOK_MS = 250;
/** After this long an agent that was given a configuration has it in force, and waits. */
const GATEWAY_MS = 4_000;

/** Has an agent stream for so long, and looks at it again after a rest. */
export async function underStreams(
  variant: AgentVariant,
  place: MemoryPlace,
  ms: number,
  restMs: number,
): Promise<UnderStreams> {
  return await withHost(variant, place, { streams: STREAMS, cancelMs: ms }, async (agent, host) => {
    let most = 0;
    const before = { cpu: processCpuUs(agent.pid), frames: (await host.sample()).count };
    for (let passed = 0; passed < ms; passed += LOOK_MS) {
      await sleep(LOOK_MS);
      most = Math.max(most, processMemory(agent.pid).rss);
    }
    const frames = (await host.sample()).count - before.frames;
    const chunkUs = (processCpuUs(agent.pid) - before.cpu) / frames;
    await sleep(restMs);
    return { most, after: processMemory(agent.pid).rss, chunkUs };
  });
}

/** Memory of an agent at rest that has a host and a connection to OpenClaw's gateway. */
export async function withGateway(variant: AgentVariant, place: MemoryPlace): Promise<number> {
  return await withHost(variant, place, { streams: 0, configures: true }, async (agent, host) => {
    await sleep(GATEWAY_MS);
    // Heartbeats and the acknowledgement of the configuration.
    if ((await host.sample()).count < 3) throw new Error(`${variant.name} did not take a configuration`);
    return processMemory(agent.pid).rss;
  });
}

async function withHost<T>(
  variant: AgentVariant,
  { modelUrl, agentCore, loadCore }: MemoryPlace,
  argument: Omit<HostArgument, "port">,
  measure: (agent: AgentProcess, host: Child) => Promise<T>,
): Promise<T> {
  const agent = await startAgentProcess(variant, modelUrl, agentCore);
  let host: Child | undefined;
  try {
    host = await startChild({
      script: "agent-host.ts",
      argument: { ...argument, port: agent.port },
      core: loadCore,
    });
    return await measure(agent, host);
  } finally {
    await host?.stop();
    await agent.stop();
  }
}
