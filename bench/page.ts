/**
 * Writes what was measured into docs/performance.md, between its markers, and the plots beside it: `node bench/page.ts RESULTS.json`.
 * With `--release` it also keeps the figures as those of the version, for later runs to be held against.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chartsOf } from "./charts.ts";
import { flatten, readResults, releaseOf, type Results } from "./figures.ts";
import { goalRows, goalsLeft } from "./goals.ts";
import { drawChart } from "./plot.ts";
import { figureTable, goalTable, lastRelease, table } from "./report.ts";

const TOP = join(import.meta.dirname, "..");
const PAGE = join(TOP, "docs/performance.md");
const IMAGES = join(TOP, "docs/images");

/** Writes tables and plots anew. Throws Error if the page lacks a marker. */
export function writePage(results: Results): void {
  const charts = chartsOf(flatten(results));
  mkdirSync(IMAGES, { recursive: true });
  for (const { name, chart } of charts) writeFileSync(join(IMAGES, `bench-${name}.svg`), drawChart(chart));
  const release = lastRelease();
  const parts: Readonly<Record<string, string>> = {
    machine: `${results.machine}; ${results.day}; ${results.how}.`,
    goals: [goalTable(goalRows(results), release), ...notMeasured(results)].join("\n\n"),
    plots: charts.map(({ name, chart }) => `![${chart.title}](images/bench-${name}.svg)`).join("\n"),
    variants: table(results.variants, release),
    figures: figureTable(results.figures, release),
  };
  let page = readFileSync(PAGE, "utf8");
  for (const [name, text] of Object.entries(parts)) page = replacePart(page, name, text);
  writeFileSync(PAGE, page);
}

function notMeasured(results: Results): string[] {
  const left = goalsLeft(results);
  const failures = Object.entries(results.failures).map(([name, why]) => `- ${name}: ${why}`);
  return [
    ...(left.length === 0 ? [] : [`Not measured in this run: ${left.join("; ")}.`]),
    ...(failures.length === 0 ? [] : [`What failed:\n${failures.join("\n")}`]),
  ];
}

/** Replaces what stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`. Throws Error if one of them is missing. */
export function replacePart(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new Error(`the page has no ${begin} ... ${end}`);
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`;
}

/** Keeps what was measured as the figures of its version. */
function keepRelease(results: Results): void {
  const folder = join(import.meta.dirname, "releases");
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, `${results.version}.json`),
    `${JSON.stringify(releaseOf(results), undefined, 2)}\n`,
  );
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { release: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const [file] = positionals;
  const results = file === undefined ? undefined : readResults(file);
  if (results === undefined) throw new Error("usage: node bench/page.ts RESULTS.json [--release]");
  writePage(results);
  if (values.release) keepRelease(results);
}
