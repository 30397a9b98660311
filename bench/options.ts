import { spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import type { MeasureOptions } from "./group.ts";

/** How the benchmark is called. */
export const USAGE = `usage: npm run bench -- [options]
  --quick       one short round of what matters most, under 3 minutes
  --seconds N   measured time of each round of each variant (2)
  --warmup N    time before the first round, in which the server becomes warm (4)
  --rounds N    rounds, odd: the median is reported (5)
  --clients N   streams or calls at once, in place of the variant's own number
  --agents N    guests that they are spread over, in place of the variant's own number
  --patience N  seconds in all to wait, and to measure again, while other processes use the cores (0)
  --only TEXT   variants and sections whose name matches this regular expression
  --json FILE   write all measurements to FILE after each step; what it holds already is not measured again
  --fresh       measure again what FILE holds
  --page        write the tables and plots of docs/performance.md anew at the end
  --list        print the names of all variants and sections
  --profile DIR write a CPU profile of each server to DIR; see bench/profile.ts`;

/** What the command line says. */
export interface Options extends MeasureOptions {
  readonly isQuick: boolean;
  readonly clients: number | undefined;
  readonly agents: number | undefined;
  readonly only: RegExp | undefined;
  readonly json: string | undefined;
  readonly isFresh: boolean;
  readonly writesPage: boolean;
  readonly action: "measure" | "list" | "help";
}

/** Reads the command line. Throws Error if something of it is wrong. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      seconds: { type: "string" },
      warmup: { type: "string" },
      rounds: { type: "string" },
      clients: { type: "string" },
      agents: { type: "string" },
      patience: { type: "string" },
      only: { type: "string" },
      json: { type: "string" },
      fresh: { type: "boolean", default: false },
      page: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      profile: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const { quick, clients, agents } = values;
  return {
    isQuick: quick,
    seconds: number("seconds", values.seconds, quick ? 1 : 2),
    warmup: number("warmup", values.warmup, quick ? 1.5 : 4),
    rounds: number("rounds", values.rounds, quick ? 1 : 5),
    clients: clients === undefined ? undefined : number("clients", clients, 1, 1),
    agents: agents === undefined ? undefined : number("agents", agents, 1, 1),
    deadline: performance.now() + number("patience", values.patience, 0, 0) * 1000,
    cores: pinning(),
    profile: values.profile,
    only: values.only === undefined ? undefined : new RegExp(values.only),
    json: values.json,
    isFresh: values.fresh,
    writesPage: values.page,
    action: values.help ? "help" : values.list ? "list" : "measure",
  };
}

function number(name: string, text: string | undefined, usual: number, least = 0.1): number {
  const value = text === undefined ? usual : Number(text);
  if (value >= least) return value;
  throw new Error(`--${name} must be a number from ${least}\n${USAGE}`);
}

/** The server gets a core for itself if there are two and taskset is there. */
function pinning(): MeasureOptions["cores"] {
  const able = cpus().length > 1 && spawnSync("taskset", ["--version"]).status === 0;
  if (able) return { server: 0, load: 1 };
  console.error("not pinned: this needs two cores and taskset; the figures are less steady");
  return undefined;
}

/** How it measures, in a line. Results are gone on with only if it is the same. */
export function describe({ isQuick, seconds, warmup, rounds, cores, clients, agents }: Options): string {
  const where =
    cores === undefined ? "not pinned" : `server on core ${cores.server}, load on core ${cores.load}`;
  const shape = [
    ...(clients === undefined ? [] : [`${clients} clients`]),
    ...(agents === undefined ? [] : [`${agents} agents`]),
  ];
  const parts = [`medians of ${rounds} rounds of ${seconds} s after ${warmup} s`, ...shape, where];
  return `${isQuick ? "quick: " : ""}${parts.join(", ")}`;
}
