/**
 * Compares Valinor's OpenAI route with other gateways before the same scripted model; see README.md beside this. Prints a table, and
 * writes all figures to a JSON file if asked to.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Child, startChild } from "../child.ts";
import { median } from "../figures.ts";
import { readOptions } from "../options.ts";
import { figure, machine, markdown } from "../report.ts";
import { type Contender, KINDS, type Kind, stopContender, workFolder } from "./contenders.ts";
import type { GatewayLoadArgument } from "./load.ts";
import { usageOf } from "./processes.ts";
import { DEFAULT_DIR } from "./versions.ts";

const USAGE = `usage: npm run bench:gateway -- [options]
  --installed DIR  folder that bench/gateway/install.ts installed into (${DEFAULT_DIR})
  --seconds N      measured time of each case (5)
  --warmup N       time before it (4)
  --rounds N       rounds of each case, odd: the median is reported (1)
  --only TEXT      gateways whose name matches this regular expression; the model alone is always measured
  --json FILE      write all figures to FILE`;

const { values } = parseArgs({
  options: {
    installed: { type: "string", default: DEFAULT_DIR },
    seconds: { type: "string", default: "5" },
    warmup: { type: "string", default: "4" },
    rounds: { type: "string", default: "1" },
    only: { type: "string" },
    json: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

/** Between two cases: runs of clients that have left end. */
const PAUSE_MS = 2_000;

/** One case: how many clients, and whether they stream. */
interface Case {
  readonly clients: number;
  readonly stream: boolean;
}

const CASES: readonly Case[] = [1, 64].flatMap((clients) => [
  { clients, stream: false },
  { clients, stream: true },
]);

/** What one gateway showed in one case; medians of the rounds. */
interface Row extends Case {
  readonly gateway: string;
  /** Milliseconds, of the whole answer, or until the first chunk of a stream. */
  readonly p50: number;
  readonly p99: number;
  /** Answers, or chunks, in a second. */
  readonly rate: number;
  /** CPU for one of them by program, microseconds. */
  readonly cpuUs: Readonly<Record<string, number>>;
  /** Memory at the end of the case by program. */
  readonly rssMiB: Readonly<Record<string, number>>;
}

if (values.help) console.log(USAGE);
else await run();

async function run(): Promise<void> {
  const { cores } = readOptions([]);
  const work = mkdtempSync(join(tmpdir(), "valinor-gateway-"));
  const rows: Row[] = [];
  const failures: Record<string, string> = {};
  const model = await startChild({ script: "gateway/model.ts", argument: null, core: cores?.load });
  try {
    for (const kind of KINDS.filter(isSelected)) {
      const options = { modelPort: model.ports[0] ?? 0, installed: values.installed, core: cores?.server };
      try {
        const contender = await kind.start({ ...options, work: workFolder(work, kind.name) });
        rows.push(...(await measureAll(kind, contender, cores?.load)));
      } catch (error) {
        failures[kind.name] = error instanceof Error ? error.message : String(error);
        console.error(`${kind.name}: ${failures[kind.name]}; its log is in ${work}`);
      }
    }
  } finally {
    await model.stop();
  }
  if (Object.keys(failures).length === 0) rmSync(work, { recursive: true, force: true });
  else process.exitCode = 1;
  print(rows, failures);
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ machine: machine(), rows, failures }, undefined, 2)}\n`);
}

function isSelected({ name }: Kind): boolean {
  return name === KINDS[0]?.name || values.only === undefined || new RegExp(values.only).test(name);
}

/** All cases of a gateway, which is stopped at the end. */
async function measureAll(kind: Kind, contender: Contender, core: number | undefined): Promise<Row[]> {
  try {
    const rows: Row[] = [];
    for (const one of CASES) {
      const rounds: Row[] = [];
      for (let round = 0; round < Number(values.rounds); round++)
        rounds.push(await measure(kind, contender, one, core));
      const row = middle(rounds);
      console.error(
        `${kind.name}  ${caseName(one)}  p50 ${figure(row.p50)} ms, p99 ${figure(row.p99)} ms, ${figure(row.rate)} /s`,
      );
      rows.push(row);
    }
    return rows;
  } finally {
    await stopContender(contender);
  }
}

async function measure(kind: Kind, contender: Contender, one: Case, core: number | undefined): Promise<Row> {
  const { port, path, model, headers, programs } = contender;
  const argument: GatewayLoadArgument = { port, path, model, headers, ...one };
  const load = await startChild({ script: "gateway/load.ts", argument, core });
  try {
    await sleep(Number(values.warmup) * 1000);
    const look = async (from: Child) => ({
      sample: await from.sample(),
      usage: mapValues(programs, usageOf),
    });
    const before = await look(load);
    await sleep(Number(values.seconds) * 1000);
    const after = await look(load);
    const count = after.sample.count - before.sample.count;
    const { latency } = after.sample;
    if (count === 0 || latency === undefined) throw new Error(`${caseName(one)}: nothing was answered`);
    return {
      gateway: kind.name,
      ...one,
      p50: latency.p50,
      p99: latency.p99,
      rate: (count * 1e6) / (after.sample.atUs - before.sample.atUs),
      cpuUs: mapValues(after.usage, ({ cpuUs }, name) => (cpuUs - (before.usage[name]?.cpuUs ?? 0)) / count),
      rssMiB: mapValues(after.usage, ({ rssMiB }) => rssMiB),
    };
  } finally {
    await load.stop();
    await sleep(PAUSE_MS);
  }
}

/** Medians of rounds; at least one. */
function middle(rounds: readonly Row[]): Row {
  const [first] = rounds;
  if (first === undefined) throw new Error("--rounds must be at least 1");
  const of = (pick: (row: Row) => number) => median(rounds.map(pick));
  return {
    ...first,
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
    rate: of(({ rate }) => rate),
    cpuUs: mapValues(first.cpuUs, (_, name) => of(({ cpuUs }) => cpuUs[name] ?? Number.NaN)),
    rssMiB: mapValues(first.rssMiB, (_, name) => of(({ rssMiB }) => rssMiB[name] ?? Number.NaN)),
  };
}

function mapValues<A, B>(
  from: Readonly<Record<string, A>>,
  to: (value: A, key: string) => B,
): Record<string, B> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, to(value, key)]));
}

function caseName({ clients, stream }: Case): string {
  return `${clients === 1 ? "1 client" : `${clients} clients`}, ${stream ? "streamed" : "whole"}`;
}

function print(rows: readonly Row[], failures: Readonly<Record<string, string>>): void {
  const floors = new Map(
    rows.filter(({ gateway }) => gateway === KINDS[0]?.name).map((row) => [caseName(row), row]),
  );
  const parts = (by: Readonly<Record<string, number>>) => Object.values(by).map(figure).join(" + ");
  const cells = rows.map((row) => {
    const floor = floors.get(caseName(row));
    const added = (pick: (of: Row) => number) =>
      floor === undefined || floor === row ? "" : figure(pick(row) - pick(floor));
    return [
      row.gateway,
      caseName(row),
      figure(row.p50),
      figure(row.p99),
      added(({ p50 }) => p50),
      added(({ p99 }) => p99),
      String(Math.round(row.rate)),
      parts(row.cpuUs),
      parts(row.rssMiB),
    ];
  });
  const head = [
    "",
    "case",
    "p50 ms",
    "p99 ms",
    "added p50",
    "added p99",
    "chunks or answers /s",
    "CPU us each",
    "RSS MiB",
  ];
  console.log(`${machine()}\n\n${markdown(head, cells)}`);
  for (const [name, why] of Object.entries(failures)) console.log(`\n${name} was not measured: ${why}`);
}
