/**
 * Measures what the agent costs a guest: disk, time until it listens, memory while it waits, under streams and after them, and CPU for a chunk
 * of a model that floods. Builds the artefacts first. See docs/performance.md, section "The agent in the guest".
 */
import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { HostArgument } from "./agent-host.ts";
import { startAgentProcess } from "./agent-process.ts";
import { type Memory, processCpuUs, processMemory } from "./proc.ts";
import { type AgentVariant, agentVariants, diskMb, dropFromCache } from "./agent-variants.ts";
import { underStreams, withGateway } from "./agent-memory.ts";
import { type Child, startChild } from "./child.ts";
import { untilQuiet } from "./quiet.ts";
import { machine } from "./report.ts";

const USAGE = `usage: npm run bench:agent -- [options]
  --starts N    starts of each variant, odd: the median is reported (9)
  --rounds N    rounds of the flood for each variant, odd; 0: none (3)
  --seconds N   measured time of a round (3)
  --rest N      time between a load of 64 streams and the look at the memory after it (20)
  --json        prints the medians as one JSON object
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
    rest: { type: "string", default: "20" },
    json: { type: "boolean", default: false },
    patience: { type: "string", default: "0" },
    help: { type: "boolean", default: false },
  },
});

const FIGURES = [
  "listeningMs",
  "cpuMs",
  "idleMib",
  "anonymousMib",
  "gatewayMib",
  "streamsMib",
  "afterMib",
  "chunkUs",
  "streamsChunkUs",
] as const;
/** What one variant showed, a value for each start or round. */
type Figures = Record<(typeof FIGURES)[number], number[]>;

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
    for (const [variant, figures] of all) if (variant.answers) await measureMemory(variant, figures, model);
    if (values.json) console.log(JSON.stringify(mediansOf(all)));
    else report(all);
  } finally {
    await model.stop();
  }
}

function emptyFigures(): Figures {
  return Object.fromEntries(FIGURES.map((name) => [name, [] as number[]])) as Figures;
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
  figures.idleMib.push(rss);
  figures.anonymousMib.push(anonymous);
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

/** Memory beside a gateway, under 64 streams and after them, once: a new process shows the same within a few megabytes. */
async function measureMemory(variant: AgentVariant, figures: Figures, model: Child): Promise<void> {
  const place = { modelUrl: urlOf(model), agentCore: AGENT_CORE, loadCore: LOAD_CORE };
  figures.gatewayMib.push(await withGateway(variant, place));
  const loadMs = WARMUP_MS + 2 * Number(values.seconds) * 1000;
  const { most, after, chunkUs } = await underStreams(variant, place, loadMs, Number(values.rest) * 1000);
  figures.streamsMib.push(most);
  figures.afterMib.push(after);
  figures.streamsChunkUs.push(chunkUs);
}

async function counts(host: Child, model: Child): Promise<{ frames: number; chunks: number }> {
  const [{ count: frames }, { count: chunks }] = await Promise.all([host.sample(), model.sample()]);
  return { frames, chunks };
}

function urlOf(model: Child): string {
  return `http://127.0.0.1:${model.ports[0]}`;
}

function mediansOf(all: ReadonlyMap<AgentVariant, Figures>): Record<string, Record<string, number>> {
  const measured = [...all].map(([variant, figures]) => {
    const shown = FIGURES.filter((name) => figures[name].length > 0);
    const medians = shown.map((name) => [name, Number(spreadOf(figures[name]).middle.toFixed(2))] as const);
    return [variant.name.replaceAll(/\W+/g, "-"), Object.fromEntries(medians)] as const;
  });
  return Object.fromEntries(measured);
}

function report(all: ReadonlyMap<AgentVariant, Figures>): void {
  console.log(`\n${machine()}, medians of ${values.starts} starts and ${values.rounds} rounds\n`);
  console.log("| | listening after ms | CPU until then ms | idle RSS MB | of it anonymous | disk MB |");
  console.log("|---|---|---|---|---|---|");
  for (const [variant, figures] of all) {
    const starts = (["listeningMs", "cpuMs", "idleMib", "anonymousMib"] as const).map((of) =>
      spread(figures[of], 0),
    );
    console.log(`| ${[variant.name, ...starts, diskMb(variant)?.toFixed(1) ?? ""].join(" | ")} |`);
  }
  console.log(
    "\n| | RSS with a gateway MB | under 64 streams | after them | CPU us a chunk | with 64 streams |",
  );
  console.log("|---|---|---|---|---|---|");
  for (const [variant, figures] of all) {
    const memory = (["gatewayMib", "streamsMib", "afterMib"] as const).map((of) => spread(figures[of], 0));
    const chunks = [spread(figures.chunkUs, 1), spread(figures.streamsChunkUs, 1)];
    if (variant.answers) console.log(`| ${[variant.name, ...memory, ...chunks].join(" | ")} |`);
  }
}

/** Median and range, if there is more than one figure. */
function spread(figures: readonly number[], digits: number): string {
  if (figures.length === 0) return "";
  const { least, middle, most } = spreadOf(figures);
  const range = figures.length === 1 ? "" : ` (${least.toFixed(digits)}-${most.toFixed(digits)})`;
  return `${middle.toFixed(digits)}${range}`;
}

function spreadOf(figures: readonly number[]): { least: number; middle: number; most: number } {
  const sorted = figures.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  return { least: at(0), middle: at(sorted.length >> 1), most: at(sorted.length - 1) };
}
