import { parentPort, workerData } from "node:worker_threads";
import { planOf } from "./plan.ts";
import { simulate } from "./simulate.ts";
import { addOutcome, emptyTotal } from "./total.ts";

/** What a worker is given: every so manieth seed is its own. */
export interface WorkerTask {
  readonly firstSeed: number;
  readonly seeds: number;
  readonly every: number;
  readonly steps: number;
  readonly seconds: number;
}

// Errors are part of every world, and their stacks cost more than all else.
Error.stackTraceLimit = 0;
const { firstSeed, seeds, every, steps, seconds } = workerData as WorkerTask;
const total = emptyTotal();
const end = performance.now() + seconds * 1000;
for (let seed = firstSeed; seed < firstSeed + seeds && performance.now() < end; seed += every)
  addOutcome(total, simulate(planOf(seed, steps)));
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
parentPort?.postMessage(total);
