import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type Flood, measureFairness } from "./fairness.ts";
import { type Figure, figuresOfJson } from "./figures.ts";
import type { MeasureOptions } from "./group.ts";
import { measureIdleStreams } from "./idle-streams.ts";

/** Something that is measured otherwise than by CPU time for a chunk or a call. */
export interface Section {
  /** For `--only`. */
  readonly name: string;
  /** False if a quick run leaves it out. */
  readonly quick: boolean;
  measure(options: SectionOptions): Promise<Record<string, Figure>>;
}

/** How a section measures. */
export interface SectionOptions extends MeasureOptions {
  /** In little time: fewer agents, fewer rounds. */
  readonly isQuick: boolean;
}

const FLOODS_64: Flood = { agents: 64, answers: ["each", "batch", "each:60000"] };
const FLOODS_1000: Flood = { agents: 1_000, answers: ["each", "batch", "paced"] };

/** Programs of this folder that print one JSON object, and the options of a quick run. */
const PROGRAMS: readonly {
  name: string;
  script: string;
  args: readonly string[];
  quick?: readonly string[];
}[] = [
  { name: "links", script: "idle-links.ts", args: ["--json"] },
  { name: "start", script: "start.ts", args: [], quick: ["--quick"] },
  { name: "memory", script: "memory.ts", args: [] },
  { name: "agent", script: "agent-footprint.ts", args: ["--json"] },
];

/** A program may take so long, milliseconds. */
const PROGRAM_MS = 600_000;

/** Every section; those whose program is not there are left out. */
export function allSections(): Section[] {
  return [
    { name: "fairness/64", quick: true, measure: (options) => measureFairness(FLOODS_64, options) },
    { name: "fairness/1000", quick: false, measure: (options) => measureFairness(FLOODS_1000, options) },
    { name: "idle-stream", quick: true, measure: measureIdleStreams },
    ...PROGRAMS.filter(({ script }) => existsSync(join(import.meta.dirname, script))).map(
      ({ name, script, args, quick }): Section => ({
        name,
        quick: quick !== undefined,
        measure: async ({ isQuick }) =>
          figuresOfJson(name, await run(script, isQuick ? (quick ?? args) : args)),
      }),
    ),
  ];
}

/** What the program printed. Rejects if it fails, or takes longer than ten minutes. */
async function run(script: string, args: readonly string[]): Promise<unknown> {
  const command = ["--expose-gc", join(import.meta.dirname, script), ...args];
  const child = spawn(process.execPath, command, {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: PROGRAM_MS,
    killSignal: "SIGTERM",
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const [printed, code] = await Promise.all([text(child.stdout), ended]);
  if (code !== 0) throw new Error(`${script} ended with ${code ?? "a signal"}`);
  // What it says before is for people.
  return JSON.parse(printed.slice(printed.indexOf("{"))) as unknown;
}
