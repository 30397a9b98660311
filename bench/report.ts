import { arch, cpus, release, type } from "node:os";
import type { Measurement } from "./measure.ts";
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
export function summarize(variant: Variant, rounds: readonly Measurement[]): Summary {
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

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** A Markdown table of summaries. */
export function table(summaries: readonly Summary[]): string {
  const head =
    "| server/API/answer | CPU us | range | operations/s | p50, p99 ms | p99 / p50 | server core | load core | others |\n|---|---|---|---|---|---|---|---|---|";
  const rows = summaries.map(
    ({ name, operation, us, usRange: [least, most], rate, latency, server, load, others }) => {
      const spread = `${figure(least)} - ${figure(most)}`;
      return `| ${name} | ${figure(us)} a ${operation} | ${spread} | ${Math.round(rate)} | ${times(latency)} | ${percent(server)} | ${percent(load)} | ${percent(others)} |`;
    },
  );
  return [head, ...rows].join("\n");
}

/** Two cells: the latencies and their ratio. */
function times(latency: Summary["latency"]): string {
  if (latency === undefined) return " | ";
  const { p50, p99 } = latency;
  return `${figure(p50)}, ${figure(p99)} | ${figure(p99 / p50)}`;
}

/** Two figures for what is small, none behind the point for what is large. */
function figure(us: number): string {
  return us < 10 ? us.toFixed(2) : us < 100 ? us.toFixed(1) : us.toFixed(0);
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

/** What the figures depend on. */
export function machine(): string {
  const [first] = cpus();
  const cores = `${cpus().length} cores`;
  return `${cores}, ${first?.model ?? "unknown CPU"}, ${type()} ${release()} ${arch()}, Node ${process.version}`;
}
