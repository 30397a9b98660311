import { spawn } from "node:child_process";
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

/** A program of this folder that prints one JSON object. */
interface Printing {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  /** Its options in a quick run; undefined: left out there. */
  readonly quick?: readonly string[];
  /** What is built first, by a script of the top folder. */
  readonly build?: string;
  /** Unit of a number whose name does not end in one. */
  readonly unit?: string;
}

const PROGRAMS: readonly Printing[] = [
  { name: "links", script: "idle-links.ts", args: ["--json"] },
  {
    name: "memory",
    script: "memory.ts",
    args: [],
    quick: ["--agents", "0", "--load", "0"],
    build: "scripts/server/build.ts",
    unit: "MiB",
  },
  { name: "agent", script: "agent-footprint.ts", args: ["--json"] },
];

/** A program may take so long, milliseconds. */
const PROGRAM_MS = 600_000;

/** Every section. */
export function allSections(): Section[] {
  return [
    { name: "fairness/64", quick: true, measure: (options) => measureFairness(FLOODS_64, options) },
    { name: "fairness/1000", quick: false, measure: (options) => measureFairness(FLOODS_1000, options) },
    { name: "idle-stream", quick: false, measure: measureIdleStreams },
    ...PROGRAMS.map(({ name, script, args, quick, build, unit }): Section => ({
      name,
      quick: quick !== undefined,
      measure: async ({ isQuick }) => {
        if (build !== undefined) await run(join(import.meta.dirname, "..", build), []);
        const printed = await run(join(import.meta.dirname, script), isQuick ? (quick ?? args) : args);
        return figuresOfJson(name, JSON.parse(jsonOf(printed)), unit);
      },
    })),
  ];
}

/** What a program printed. Rejects if it fails, or takes longer than ten minutes. */
async function run(script: string, args: readonly string[]): Promise<string> {
  const command = ["--expose-gc", script, ...args];
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
  return printed;
}

/** From the first line that begins an object: what a program says before is for people. */
export function jsonOf(printed: string): string {
  const at = printed.search(/^\{/m);
  if (at < 0) throw new Error("the program printed no JSON");
  return printed.slice(at);
}
