/**
 * Measures what the control plane costs, with its floors in the same run; see docs/performance.md. Writes tables to stdout and, if
 * asked to, every measurement to a JSON file, from which a run that was interrupted goes on.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Figure, readResults, type Results, writeResults } from "./figures.ts";
import { goalRows } from "./goals.ts";
import { type Measurement, measureGroup } from "./group.ts";
import { describe, readOptions, USAGE } from "./options.ts";
import { DISTURBANCE } from "./quiet.ts";
import { figureTable, goalTable, lastRelease, machine, summarize, table } from "./report.ts";
import { allSections, type Section } from "./sections.ts";
import { allGroups, type Group, type Variant } from "./variants.ts";
import { writePage } from "./page.ts";

/** Rounds of a point of a plot, at most. */
const POINT_ROUNDS = 3;

const options = readOptions(process.argv.slice(2));
if (options.action === "help") console.log(USAGE);
else if (options.action === "list") list();
else await run();

/** Measures step by step what the results do not hold yet. */
async function run(): Promise<void> {
  let results = begin();
  const groups = selectGroups();
  const sections = selectSections();
  if (groups.length + sections.length === 0) throw new Error("nothing matches --only");
  const steps = groups.length + sections.length;
  let step = 0;
  const keep = (more: Results) => {
    results = more;
    if (options.json !== undefined) writeResults(options.json, results);
  };
  for (const group of groups) {
    console.error(`step ${++step}/${steps}  ${group.name}`);
    const known = new Set(results.variants.map(({ name }) => name));
    if (!group.variants.every(({ name }) => known.has(name))) keep(await measureVariants(group, results));
  }
  for (const section of sections) {
    console.error(`step ${++step}/${steps}  ${section.name}`);
    const isKnown = Object.keys(results.figures).some((name) => isOf(section, name));
    if (!isKnown) keep(await measureSection(section, results));
  }
  report(results);
  if (options.writesPage) writePage(results);
}

/** The results to go on with: those of the file if they were measured in the same way on the same machine. */
function begin(): Results {
  const how = describe(options);
  const found = options.json === undefined || options.isFresh ? undefined : readResults(options.json);
  if (found?.how === how && found.machine === machine()) return found;
  if (found !== undefined)
    throw new Error(
      `${options.json} was measured otherwise: ${found.machine}, ${found.how}; --fresh begins anew`,
    );
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
    version: string;
  };
  const day = new Date().toISOString().slice(0, 10);
  return { version, machine: machine(), how, day, variants: [], figures: {}, failures: {} };
}

function selectGroups(): Group[] {
  const { isQuick, only, clients, agents } = options;
  return allGroups().flatMap((group) => {
    const variants = (isQuick ? group.quick : group.variants)
      .filter(({ name }) => only?.test(name) ?? true)
      .map((variant) => ({
        ...variant,
        ...(clients !== undefined && { clients }),
        ...(agents !== undefined && { agents }),
      }));
    return variants.length === 0 ? [] : [{ ...group, variants }];
  });
}

function selectSections(): Section[] {
  const { isQuick, only } = options;
  return allSections().filter(({ name, quick }) => (quick || !isQuick) && (only?.test(name) ?? true));
}

/** A group that fails is told and left: the others are worth having. */
async function measureVariants(group: Group, results: Results): Promise<Results> {
  const rounds = group.point ? Math.min(POINT_ROUNDS, options.rounds) : options.rounds;
  try {
    const measured = await measureGroup(group.variants, { ...options, rounds }, (variant, round, result) =>
      console.error(`round ${round}/${rounds}  ${progress(variant, result)}`),
    );
    const names = new Set(group.variants.map(({ name }) => name));
    const before = results.variants.filter(({ name }) => !names.has(name));
    const summaries = [...measured].map(([variant, all]) => summarize(variant, all));
    return { ...results, variants: [...before, ...summaries], failures: without(group.name, results) };
  } catch (error) {
    return failed(group.name, error, results);
  }
}

async function measureSection(section: Section, results: Results): Promise<Results> {
  try {
    const figures = await section.measure(options);
    for (const [name, figure] of Object.entries(figures)) console.error(line(name, figure));
    return {
      ...results,
      figures: { ...results.figures, ...figures },
      failures: without(section.name, results),
    };
  } catch (error) {
    return failed(section.name, error, results);
  }
}

function failed(name: string, error: unknown, results: Results): Results {
  const why = error instanceof Error ? error.message : String(error);
  console.error(`${name} could not be measured: ${why}`);
  process.exitCode = 1;
  return { ...results, failures: { ...results.failures, [name]: why } };
}

/** The failures but this one. */
function without(name: string, { failures }: Results): Results["failures"] {
  return Object.fromEntries(Object.entries(failures).filter(([failed]) => failed !== name));
}

function isOf(section: Section, figure: string): boolean {
  return figure.startsWith(`${section.name}/`);
}

function line(name: string, { value, unit }: Figure): string {
  return `${name}  ${value.toFixed(1)} ${unit}`;
}

function progress({ name }: Variant, { us, others, latency }: Measurement): string {
  const times =
    latency === undefined ? "" : `  p50 ${latency.p50.toFixed(1)} p99 ${latency.p99.toFixed(1)} ms`;
  const note = others > DISTURBANCE ? `  disturbed: others used ${others.toFixed(1)} cores` : "";
  return `${name}  ${us.toFixed(2)} us${times}${note}`;
}

function report(results: Results): void {
  const release = lastRelease();
  console.log(`${results.machine}\n${results.how}\n`);
  if (results.variants.length > 0) console.log(`${table(results.variants, release)}\n`);
  if (Object.keys(results.figures).length > 0) console.log(`${figureTable(results.figures, release)}\n`);
  const rows = goalRows(results);
  if (rows.length > 0) console.log(goalTable(rows, release));
}

function list(): void {
  for (const { variants } of allGroups()) for (const { name } of variants) console.log(name);
  for (const { name } of allSections()) console.log(name);
}
