/**
 * Measures the control plane's CPU for a streamed chunk and for a unary call, with its floors in the same run; see
 * docs/performance.md. Writes a table to stdout and, if asked to, every measurement to a JSON file.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { measure, type Measurement, type MeasureOptions } from "./measure.ts";
import { DISTURBANCE, untilQuiet } from "./quiet.ts";
import { machine, summarize, table } from "./report.ts";
import { allVariants, type Variant } from "./variants.ts";

const USAGE = `usage: npm run bench -- [options]
  --seconds N   measured time of each round of each variant (4)
  --warmup N    time before it, in which the server becomes warm (6)
  --rounds N    rounds, odd: the median is reported (5)
  --clients N   streams or calls at once, in place of the variant's own number
  --agents N    guests that they are spread over, in place of the variant's own number
  --patience N  seconds in all to wait, and to measure again, while other processes use the cores (0)
  --only TEXT   variants whose name matches this regular expression
  --json FILE   write all measurements to FILE
  --profile DIR write a CPU profile of each server to DIR; see bench/profile.ts`;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "4" },
    warmup: { type: "string", default: "6" },
    rounds: { type: "string", default: "5" },
    clients: { type: "string" },
    agents: { type: "string" },
    patience: { type: "string", default: "0" },
    only: { type: "string" },
    json: { type: "string" },
    profile: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) console.log(USAGE);
else await run();

async function run(): Promise<void> {
  const rounds = positive("rounds");
  const options: MeasureOptions = {
    seconds: positive("seconds"),
    warmup: positive("warmup"),
    cores: pinning(),
    profile: values.profile,
  };
  const deadline = performance.now() + positive("patience", 0) * 1000;
  const variants = selected();
  const measured = new Map<Variant, Measurement[]>(variants.map((variant) => [variant, []]));
  // Variant by variant within a round: what disturbs the machine for a while disturbs all of them.
  for (let round = 1; round <= rounds; round++) {
    for (const [variant, results] of measured) {
      const result = await measureQuietly(variant, options, deadline);
      results.push(result);
      console.error(`round ${round}/${rounds}  ${progress(variant, result)}`);
    }
  }
  const summaries = [...measured].map(([variant, results]) => summarize(variant, results));
  console.log(`${machine()}\n${describe(options, rounds)}\n\n${table(summaries)}`);
  if (values.json === undefined) return;
  // Every round with its own figures: medians alone would hide what disturbed them.
  const report = { machine: machine(), seconds: options.seconds, rounds, variants: summaries };
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

function progress({ name }: Variant, { us, others, latency }: Measurement): string {
  const times =
    latency === undefined ? "" : `  p50 ${latency.p50.toFixed(1)} p99 ${latency.p99.toFixed(1)} ms`;
  const note = others > DISTURBANCE ? `  disturbed: others used ${others.toFixed(1)} cores` : "";
  return `${name}  ${us.toFixed(2)} us${times}${note}`;
}

/** Measures again while the machine is not quiet and there is time for it. */
async function measureQuietly(
  variant: Variant,
  options: MeasureOptions,
  deadline: number,
): Promise<Measurement> {
  for (;;) {
    await untilQuiet(deadline);
    const result = await measure(variant, options);
    if (result.others <= DISTURBANCE || performance.now() > deadline) return result;
  }
}

function selected(): Variant[] {
  const pattern = values.only === undefined ? undefined : new RegExp(values.only);
  const variants = allVariants().filter(({ name }) => pattern?.test(name) ?? true);
  if (variants.length === 0) throw new Error(`no variant matches ${values.only}`);
  return variants.map((variant) => ({
    ...variant,
    ...(values.clients !== undefined && { clients: positive("clients") }),
    ...(values.agents !== undefined && { agents: positive("agents") }),
  }));
}

function positive(name: "seconds" | "warmup" | "rounds" | "clients" | "agents" | "patience", least = 0.1) {
  const value = Number(values[name]);
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

function describe({ seconds, cores }: MeasureOptions, rounds: number): string {
  const where =
    cores === undefined ? "not pinned" : `server on core ${cores.server}, load on core ${cores.load}`;
  return `medians of ${rounds} rounds of ${seconds} s, ${where}`;
}
