import { Worker } from "node:worker_threads";
import { explain } from "./explain.ts";
import { HELP, type Options, readOptions } from "./options.ts";
import { planOf } from "./plan.ts";
import { shrink } from "./shrink.ts";
import { simulate } from "./simulate.ts";
import { addOutcome, addTotal, emptyTotal, report, type Total } from "./total.ts";
import type { WorkerTask } from "./worker.ts";

/** Seeds that are explained, if many fail. */
const MOST_EXPLAINED = 3;

/** Runs worlds over threads, and says what came of them; the exit code is 1 if a rule was broken. */
async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) return void process.stdout.write(HELP);
  const began = performance.now();
  const total = options.seeds === 1 ? runOne(options) : await runMany(options);
  process.stdout.write(`${report(total, (performance.now() - began) / 1000)}\n`);
  for (const { seed } of total.failed.slice(0, MOST_EXPLAINED)) {
    const failed = simulate(planOf(seed, options.steps));
    const least = shrink(failed, simulate);
    const traced = simulate(least.plan, { isTraced: true });
    process.stdout.write(`\n${explain(traced, seed, options.steps)}\n`);
  }
  process.exitCode = total.failed.length === 0 ? 0 : 1;
}

function runOne({ firstSeed, steps, isTraced }: Options): Total {
  const total = emptyTotal();
  const outcome = simulate(planOf(firstSeed, steps), { isTraced });
  for (const line of outcome.lines) process.stdout.write(`${line}\n`);
  addOutcome(total, outcome);
  return total;
}

async function runMany({ firstSeed, seeds, steps, workers, seconds }: Options): Promise<Total> {
  const total = emptyTotal();
  const tasks = Array.from({ length: workers }, (_, index): WorkerTask => ({
    firstSeed: firstSeed + index,
    seeds: seeds - index,
    every: workers,
    steps,
    seconds,
  }));
  for (const part of await Promise.all(tasks.map(runWorker))) addTotal(total, part);
  total.failed.sort((a, b) => a.seed - b.seed);
  return total;
}

function runWorker(task: WorkerTask): Promise<Total> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: task });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

await main();
