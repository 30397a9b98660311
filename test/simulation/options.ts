import { parseArgs } from "node:util";

/** What `npm run test:simulation` is told. */
export interface Options {
  readonly firstSeed: number;
  readonly seeds: number;
  /** Steps that each world takes, about. */
  readonly steps: number;
  readonly workers: number;
  /** Seconds after which no further seed is begun. */
  readonly seconds: number;
  /** Print everything that happened, of a single seed. */
  readonly isTraced: boolean;
}

export const HELP = `npm run test:simulation -- [options]

  --seeds N      run so many worlds, one for each seed (1000)
  --first N      the first seed (1)
  --seed N       run this one alone, and say what happened
  --steps N      steps that each world takes, about (20000)
  --workers N    threads (2)
  --seconds N    begin no further world after so many seconds (no bound)
  --trace        with --seed: print everything that happened
`;

/** Reads the command line. Throws Error that says what is wrong with it; undefined if help is asked for. */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: "string" },
      first: { type: "string" },
      seed: { type: "string" },
      steps: { type: "string" },
      workers: { type: "string" },
      seconds: { type: "string" },
      trace: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) return undefined;
  const one = values.seed === undefined ? undefined : count("seed", values.seed, 0);
  return {
    firstSeed: one ?? count("first", values.first ?? "1", 0),
    seeds: one === undefined ? count("seeds", values.seeds ?? "1000", 1) : 1,
    steps: count("steps", values.steps ?? "20000", 1),
    workers: count("workers", values.workers ?? "2", 1),
    seconds: values.seconds === undefined ? Infinity : count("seconds", values.seconds, 1),
    isTraced: values.trace === true,
  };
}

function count(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`--${name} is to be a whole number from ${least}, not ${text}`);
}
