import { readFileSync } from "node:fs";
import { threadCpuMs } from "../helpers/cpu.ts";
import { createRandom } from "../helpers/random.ts";
import { monotonicNow } from "../../protocol/wire/clock.ts";
import { targetNamed } from "./targets.ts";
import { inTime, turns, type Attack } from "./target.ts";

/** A turn of the loop that takes this much CPU time, milliseconds, is a finding; the first inputs are not held to it. */
const TURN_MS = 100;
const WARM = 200;

/** What a worker is to do. */
export interface Job {
  readonly target: string;
  readonly seed: number;
  readonly seconds: number;
  /** Inputs before this one are skipped. */
  readonly from: number;
  /** File with one input that is tried alone. */
  readonly input: string | undefined;
}

/** What a worker tells its parent. */
export type Report =
  | { readonly kind: "progress"; readonly inputs: number; readonly items: number; readonly longestMs: number }
  | { readonly kind: "finding"; readonly input: string; readonly at: number; readonly what: string };

const job = JSON.parse(process.argv[2] ?? "{}") as Job;
let current: { input: Buffer; at: number } = { input: Buffer.alloc(0), at: -1 };
let longestMs = 0;

const tell = (report: Report) => process.send?.(report);

function found(error: unknown): never {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  tell({ kind: "finding", input: current.input.toString("base64"), at: current.at, what });
  // The channel is flushed before the process ends.
  process.disconnect?.();
  process.exit(1);
}

process.on("uncaughtException", found);
process.on("unhandledRejection", found);

/** Looks at each turn of the loop while `work` runs; answers the longest, in CPU milliseconds. */
async function longestTurn(work: () => Promise<number>): Promise<{ count: number; ms: number }> {
  let last = threadCpuMs();
  let ms = 0;
  let over = false;
  const look = () => {
    const now = threadCpuMs();
    ms = Math.max(ms, now - last);
    last = now;
    if (!over) setImmediate(look);
  };
  setImmediate(look);
  try {
    const count = await work();
    await turns(1);
    return { count, ms };
  } finally {
    over = true;
  }
}

async function tryInput(attack: Attack, input: Buffer, isWarm: boolean): Promise<number> {
  const { count, ms } = await longestTurn(() => inTime("an input", attack.run(input), 30_000));
  if (!isWarm || ms < TURN_MS) {
    if (isWarm) longestMs = Math.max(longestMs, ms);
    return count;
  }
  // Collecting garbage may have fallen into it: what is the input's doing comes again.
  let least = ms;
  for (let again = 0; again < 2; again++)
    least = Math.min(least, (await longestTurn(() => attack.run(input))).ms);
  longestMs = Math.max(longestMs, least);
  if (least >= TURN_MS) found(new Error(`a turn of the loop took ${least.toFixed(0)} ms of CPU time`));
  return count;
}

async function work(): Promise<void> {
  const target = targetNamed(job.target);
  if (target === undefined) throw new Error(`there is no target ${job.target}`);
  const attack = await target.open();
  const end = monotonicNow() + job.seconds * 1000;
  let items = 0;
  let at = job.from;
  if (job.input !== undefined) {
    current = { input: readFileSync(job.input), at: 0 };
    items = await tryInput(attack, current.input, false);
    at = 1;
  }
  for (; job.input === undefined && monotonicNow() < end; at++) {
    const random = createRandom(Math.imul(job.seed, 0x9e37_79b1) ^ Math.imul(at + 1, 0x85eb_ca6b));
    current = { input: attack.make(random), at };
    items += await tryInput(attack, current.input, at - job.from > WARM);
    if (at % 500 === 0) tell({ kind: "progress", inputs: at - job.from, items, longestMs });
  }
  await attack.close();
  tell({ kind: "progress", inputs: at - job.from, items, longestMs });
  process.disconnect?.();
}

await work().then(() => process.exit(0), found);
