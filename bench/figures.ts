import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Summary } from "./report.ts";

/** One figure beside those of the CPU table. */
export interface Figure {
  /** Median of the rounds. */
  readonly value: number;
  readonly unit: string;
  readonly rounds: readonly number[];
}

/** What a run has measured so far. */
export interface Results {
  /** Of the product. */
  readonly version: string;
  /** What the figures depend on. */
  readonly machine: string;
  /** How it measured, in words; results that were measured otherwise are not gone on with. */
  readonly how: string;
  /** Day of the run's begin, ISO 8601. */
  readonly day: string;
  /** CPU and latencies of each variant. */
  readonly variants: readonly Summary[];
  /** Everything else, by name. */
  readonly figures: Readonly<Record<string, Figure>>;
  /** What could not be measured, by the task's name, and why. */
  readonly failures: Readonly<Record<string, string>>;
}

/** What is kept of a release: one number for each name. */
export interface Release {
  readonly version: string;
  readonly machine: string;
  readonly day: string;
  readonly figures: Readonly<Record<string, number>>;
}

/** The middle of the values, the upper one of two; NaN if there are none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** A figure of its rounds; at least one. */
export function figureOf(rounds: readonly number[], unit: string): Figure {
  return { value: median(rounds), unit, rounds };
}

/**
 * Every number by one name: a variant's CPU by the variant's own, and `NAME:p50`, `NAME:p99` (milliseconds) and `NAME:rate` (a second)
 * beside it; other figures by theirs.
 */
export function flatten({ variants, figures }: Pick<Results, "variants" | "figures">): Map<string, number> {
  const flat = new Map<string, number>();
  for (const { name, us, rate, latency } of variants) {
    flat.set(name, us);
    flat.set(`${name}:rate`, rate);
    if (latency === undefined) continue;
    flat.set(`${name}:p50`, latency.p50);
    flat.set(`${name}:p99`, latency.p99);
  }
  for (const [name, { value }] of Object.entries(figures)) flat.set(name, value);
  return flat;
}

/** What of a run is kept with the release. */
export function releaseOf(results: Results): Release {
  const { version, machine, day } = results;
  const round = (value: number) => Number(value.toPrecision(4));
  const figures = [...flatten(results)].map(([name, value]) => [name, round(value)] as const);
  return {
    version,
    machine,
    day,
    figures: Object.fromEntries(figures.toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/**
 * Figures of a program that prints JSON: every number in it, named by the way to it (`prefix/agents/1000/rss`). The unit of a number is
 * what its key ends in: `Ms`, `MiB`, `Kb`, `Us`, `Bytes`, `Percent`; otherwise none.
 */
export function figuresOfJson(prefix: string, json: unknown): Record<string, Figure> {
  if (typeof json === "number") return { [prefix]: figureOf([json], unitOf(prefix)) };
  if (typeof json !== "object" || json === null) return {};
  const parts = Object.entries(json).map(([key, value]) => figuresOfJson(`${prefix}/${key}`, value));
  return Object.assign({}, ...parts) as Record<string, Figure>;
}

function unitOf(name: string): string {
  const [end = ""] = /(?:Ms|MiB|KB|Us|Bytes|Percent)$/i.exec(name) ?? [];
  const units: Record<string, string> = {
    ms: "ms",
    mib: "MiB",
    kb: "KB",
    us: "us",
    bytes: "bytes",
    percent: "%",
  };
  return units[end.toLowerCase()] ?? "";
}

/** What a file of results holds; undefined if there is none. Throws SyntaxError if it is no JSON. */
export function readResults(file: string): Results | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Results) : undefined;
}

/** Replaces a file of results: whoever reads it finds the old or the new one whole. */
export function writeResults(file: string, results: Results): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(results, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}
