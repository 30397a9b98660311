/**
 * Measures what the agent costs a guest: disk, time until it listens, memory while it waits, and CPU for a chunk of a model
 * that floods. Builds the artefacts first. See docs/performance.md, section "The agent in the guest".
 */
import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { HostArgument } from "./agent-host.ts";
import { type Memory, processCpuUs, processMemory, startAgentProcess } from "./agent-process.ts";
import { type AgentVariant, agentVariants, diskMb, dropFromCache } from "./agent-variants.ts";
import { type Child, startChild } from "./child.ts";
import { untilQuiet } from "./quiet.ts";
import { machine } from "./report.ts";

const USAGE = `usage: npm run bench:agent -- [options]
  --starts N    starts of each variant, odd: the median is reported (9)
  --rounds N    rounds of the flood for each variant, odd; 0: none (3)
  --seconds N   measured time of a round (3)
  --patience N  seconds in all to wait while other processes use the cores (0)`;

/** After this long an agent has asked its model whether it is ready, and waits. */
const IDLE_MS = 1_500;
/** Time of a flood before it is measured. */
const WARMUP_MS = 2_000;
const AGENT_CORE = 0;
const LOAD_CORE = 1;

const { values } = parseArgs({
  options: {
    starts: { type: "string", default: "9" },
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "3" },
    patience: { type: "string", default: "0" },
    help: { type: "boolean", default: false },
  },
});

/** What one variant showed, a value for each start or round. */
interface Figures extends Record<"listeningMs" | "cpuMs" | "rss" | "anonymous" | "chunkUs", number[]> {}

if (values.help) console.log(USAGE);
else await run();

async function run(): Promise<void> {
  if (cpus().length < 2 || spawnSync("taskset", ["--version"]).status !== 0)
    throw new Error("this needs two cores and taskset: one core for the agent, the other for its load");
  const build = spawnSync(process.execPath, [join(import.meta.dirname, "../scripts/agent/build.ts")], {
    stdio: "inherit",
  });
  if (build.status !== 0) throw new Error("npm run build:agent has failed");
  const deadline = performance.now() + Number(values.patience) * 1000;
  const model = await startChild({ script: "agent-model.ts", argument: null, core: LOAD_CORE });
  try {
    const all = new Map(agentVariants().map((variant) => [variant, emptyFigures()]));
    for (const variant of all.keys()) {
      dropFromCache(variant);
      await start(variant, model); // warms the cache
    }
    // Variant by variant within a round: what disturbs the machine for a while disturbs all of them.
    for (let n = 0; n < Number(values.starts); n++) {
      await untilQuiet(deadline);
      for (const [variant, figures] of all) await measureStart(variant, figures, model);
    }
    for (let n = 0; n < Number(values.rounds); n++) {
      await untilQuiet(deadline);
      for (const [variant, figures] of all)
        if (variant.answers) figures.chunkUs.push(await floodUs(variant, model));
    }
    report(all);
  } finally {
    await model.stop();
  }
}

function emptyFigures(): Figures {
  return { listeningMs: [], cpuMs: [], rss: [], anonymous: [], chunkUs: [] };
}

/** Starts a variant and stops it again once it waits. */
async function start(variant: AgentVariant, model: Child): Promise<Memory & { ms: number; cpuMs: number }> {
  const agent = await startAgentProcess(variant, urlOf(model), AGENT_CORE);
  try {
    await sleep(IDLE_MS);
    return { ...processMemory(agent.pid), ms: agent.listeningMs, cpuMs: agent.listeningCpuMs };
  } finally {
    await agent.stop();
  }
}

async function measureStart(variant: AgentVariant, figures: Figures, model: Child): Promise<void> {
  const { ms, cpuMs, rss, anonymous } = await start(variant, model);
  figures.listeningMs.push(ms);
  figures.cpuMs.push(cpuMs);
  figures.rss.push(rss);
  figures.anonymous.push(anonymous);
}

/** CPU of an agent for each chunk that it took from the model and framed for the host, microseconds. */
async function floodUs(variant: AgentVariant, model: Child): Promise<number> {
  const agent = await startAgentProcess(variant, urlOf(model), AGENT_CORE);
  let host: Child | undefined;
  try {
    const argument: HostArgument = { port: agent.port, streams: 1 };
    host = await startChild({ script: "agent-host.ts", argument, core: LOAD_CORE });
    await sleep(WARMUP_MS);
    const look = async (from: Child) => ({ cpuUs: processCpuUs(agent.pid), ...(await counts(from, model)) });
    const before = await look(host);
    await sleep(Number(values.seconds) * 1000);
    const after = await look(host);
    const frames = after.frames - before.frames;
    const chunks = after.chunks - before.chunks;
    // Were chunks put together or lost on the way, the figure would be of something else.
    if (frames === 0 || Math.abs(frames / chunks - 1) > 0.1)
      throw new Error(`${variant.name}: ${frames} frames came of ${chunks} chunks`);
    return (after.cpuUs - before.cpuUs) / frames;
  } finally {
    await host?.stop();
    await agent.stop();
  }
}

async function counts(host: Child, model: Child): Promise<{ frames: number; chunks: number }> {
  const [{ count: frames }, { count: chunks }] = await Promise.all([host.sample(), model.sample()]);
  return { frames, chunks };
}

function urlOf(model: Child): string {
  return `http://127.0.0.1:${model.ports[0]}`;
}

function report(all: ReadonlyMap<AgentVariant, Figures>): void {
  console.log(`\n${machine()}, medians of ${values.starts} starts and ${values.rounds} rounds\n`);
  console.log(
    "| | listening after ms | CPU until then ms | idle RSS MB | of it anonymous | disk MB | CPU us a chunk |",
  );
  console.log("|---|---|---|---|---|---|---|");
  for (const [variant, figures] of all) {
    const cells = (["listeningMs", "cpuMs", "rss", "anonymous"] as const).map((of) => spread(figures[of], 0));
    console.log(
      `| ${[variant.name, ...cells, diskMb(variant)?.toFixed(1) ?? "", spread(figures.chunkUs, 1)].join(" | ")} |`,
    );
  }
}

/** Median and range. */
function spread(figures: readonly number[], digits: number): string {
  if (figures.length === 0) return "";
  const sorted = figures.toSorted((a, b) => a - b);
  const [least, middle, most] = [0, sorted.length >> 1, sorted.length - 1].map((at) =>
    sorted[at]?.toFixed(digits),
  );
  return `${middle} (${least}-${most})`;
}
