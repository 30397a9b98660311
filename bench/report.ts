import { globSync, readFileSync } from "node:fs";
import { arch, cpus, release as kernel, type } from "node:os";
import { join } from "node:path";
import { type Figure, flatten, median, type Release } from "./figures.ts";
import { floorOf } from "./floors.ts";
import type { GoalRow } from "./goals.ts";
import type { Measurement } from "./group.ts";
import type { Variant } from "./variants.ts";

/** A variant's measurements in one line. */
export interface Summary {
  readonly name: string;
  readonly operation: Variant["operation"];
  /** Medians of the rounds. */
  readonly us: number;
  readonly rate: number;
  readonly server: number;
  readonly load: number;
  /** Most that other processes used, in cores. */
  readonly others: number;
  /** Least and largest `us` of the rounds. */
  readonly usRange: readonly [number, number];
  /** Medians of the rounds' own p50 and p99, milliseconds; undefined for streams. */
  readonly latency: { readonly p50: number; readonly p99: number } | undefined;
  readonly rounds: readonly Measurement[];
}

/** Summarizes a variant's rounds; at least one. */
export function summarize(
  variant: Pick<Variant, "name" | "operation">,
  rounds: readonly Measurement[],
): Summary {
  const us = rounds.map((round) => round.us);
  return {
    name: variant.name,
    operation: variant.operation,
    us: median(us),
    rate: median(rounds.map((round) => round.rate)),
    server: median(rounds.map((round) => round.server)),
    load: median(rounds.map((round) => round.load)),
    others: Math.max(...rounds.map((round) => round.others)),
    usRange: [Math.min(...us), Math.max(...us)],
    latency: medianLatency(rounds),
    rounds,
  };
}

function medianLatency(rounds: readonly Measurement[]): Summary["latency"] {
  const all = rounds.flatMap(({ latency }) => latency ?? []);
  if (all.length === 0) return undefined;
  return { p50: median(all.map(({ p50 }) => p50)), p99: median(all.map(({ p99 }) => p99)) };
}

/** A Markdown table: a row for each list of cells. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

/** Summaries, beside their floors and the last release. Only ratios carry over from one machine to another. */
export function table(summaries: readonly Summary[], release: Release | undefined): string {
  const flat = flatten({ variants: summaries, figures: {} });
  const before = new Map(Object.entries(release?.figures ?? {}));
  const rows = summaries.map(
    ({ name, operation, us, usRange: [least, most], rate, latency, server, load, others }) => [
      name,
      `${figure(us)} a ${operation}`,
      `${figure(least)} - ${figure(most)}`,
      ratio(us, floorOf(name, flat)?.value),
      ...(release === undefined ? [] : [ratio(before.get(name), floorOf(name, before)?.value)]),
      ...(latency === undefined
        ? ["", ""]
        : [`${figure(latency.p50)}, ${figure(latency.p99)}`, ratio(latency.p99, latency.p50)]),
      String(Math.round(rate)),
      percent(server),
      percent(load),
      percent(others),
    ],
  );
  const ratios = ["ratio to floor", ...(release === undefined ? [] : [`in ${release.version}`])];
  const head = [
    "server/API/answer",
    "CPU us",
    "range",
    ...ratios,
    "p50, p99 ms",
    "p99 / p50",
    "operations/s",
  ];
  return markdown([...head, "server core", "load core", "others"], rows);
}

/** Figures of the sections, beside the last release. */
export function figureTable(figures: Readonly<Record<string, Figure>>, release: Release | undefined): string {
  const rows = Object.entries(figures).map(([name, { value, unit, rounds }]) => [
    name,
    `${figure(value)} ${unit}`,
    rounds.length > 1 ? `${figure(Math.min(...rounds))} - ${figure(Math.max(...rounds))}` : "",
    ...(release === undefined ? [] : [optional(release.figures[name])]),
  ]);
  const column =
    release === undefined ? [] : [`in ${release.version}, ${release.machine.split(",")[1]?.trim() ?? ""}`];
  return markdown(["figure", "value", "range", ...column], rows);
}

/** Goals, beside what was reached in the last release. */
export function goalTable(rows: readonly GoalRow[], release: Release | undefined): string {
  const before = (row: GoalRow) => {
    const value = release?.figures[row.figure];
    return row.floor === undefined ? value : quotient(value, release?.figures[row.floor]);
  };
  const cells = rows.map((row) => [
    row.what,
    `${figure(row.value)} ${row.unit}`,
    row.floor === undefined ? "" : `${figure(row.floorValue ?? Number.NaN)} (${floorName(row)})`,
    figure(row.reached),
    ...(release === undefined ? [] : [optional(before(row))]),
    figure(row.most),
    row.isMet ? "met" : "**missed**",
  ]);
  const column = release === undefined ? [] : [`in ${release.version}`];
  return markdown(["", "figure", "floor", "ratio or figure", ...column, "goal, at most", ""], cells);
}

function floorName({ floor = "" }: GoalRow): string {
  if (floor.endsWith(":p50")) return "p50";
  const names: Record<string, string> = { http: "node:http", http2: "node:http2", connect: "connect-node" };
  return names[floor.split("/")[0] ?? ""] ?? floor;
}

/** The newest release whose figures are kept; undefined if there is none. */
export function lastRelease(): Release | undefined {
  const folder = join(import.meta.dirname, "releases");
  const files = globSync("*.json", { cwd: folder });
  const newest = files.toSorted((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
  return newest === undefined
    ? undefined
    : (JSON.parse(readFileSync(join(folder, newest), "utf8")) as Release);
}

function quotient(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a / b;
}

function ratio(a: number | undefined, b: number | undefined): string {
  return optional(quotient(a, b));
}

function optional(value: number | undefined): string {
  return value === undefined ? "" : figure(value);
}

/** Two figures behind the point for what is small, none for what is large. */
export function figure(value: number): string {
  const size = Math.abs(value);
  return size < 10
    ? value.toFixed(2)
    : size < 100
      ? value.toFixed(1)
      : Math.round(value).toLocaleString("en");
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

/** What the figures depend on. */
export function machine(): string {
  const [first] = cpus();
  const cores = `${cpus().length} cores`;
  return `${cores}, ${first?.model ?? "unknown CPU"}, ${type()} ${kernel()} ${arch()}, Node ${process.version}`;
}
