import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { monotonicNow } from "../../protocol/wire/clock.ts";
import type { Links } from "./guests.ts";
import type { Holdings, ServerArgument } from "./server.ts";
import { readStreams, type Tally } from "./streams.ts";

/** The heap may grow by this much in a minute, bytes: below it nothing is told from noise. */
const SLOPE = 1024 * 1024;
/** Descriptors that may come and go between two looks: connections that are being made or closed. */
const DESCRIPTORS = 20;
const SAMPLE_MS = 5_000;
const START_MS = 180_000;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    agents: { type: "string", default: "10000" },
    streams: { type: "string", default: "200" },
  },
});
const [minutes, agents, streams] = [values.minutes, values.agents, values.streams].map(Number) as [
  number,
  number,
  number,
];
if (![minutes, agents, streams].every((value) => value > 0))
  throw new Error("--minutes, --agents and --streams are numbers above 0");

interface Processes {
  readonly server: ChildProcess;
  readonly guests: ChildProcess;
}

interface Sample extends Holdings, Links {
  readonly at: number;
}

async function main(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "valinor-soak-"));
  const guests = start("guests.ts", { folder: dir });
  await once(guests, "message");
  // No two agents share an address: each has a name of its own for the one socket.
  for (let at = 0; at < agents; at++) symlinkSync("guests.sock", join(dir, `${at}.sock`));
  const began = monotonicNow();
  const argument: ServerArgument = {
    store: `sqlite:${join(dir, "valinor.db")}`,
    agents,
    guests: dir,
  };
  const server = start("server.ts", argument);
  try {
    const [url] = (await once(server, "message")) as [string];
    await allLinked(guests);
    await allConfigured(url);
    console.log(
      `${agents} agents linked and configured after ${((monotonicNow() - began) / 1000).toFixed(1)} s`,
    );
    process.exitCode = (await soak({ server, guests }, url)) ? 0 : 1;
  } finally {
    server.disconnect();
    guests.disconnect();
    await Promise.race([once(server, "exit"), delay(10_000)]);
    server.kill("SIGKILL");
    rmSync(dir, { recursive: true, force: true });
  }
}

function start(file: string, argument: object = {}): ChildProcess {
  const child = fork(join(import.meta.dirname, file), [JSON.stringify(argument)], {
    execArgv: ["--expose-gc"],
  });
  child.once("exit", (code) => {
    if (code !== 0 && code !== null) throw new Error(`${file} ended with ${code}`);
  });
  return child;
}

async function allLinked(guests: ChildProcess): Promise<void> {
  const end = monotonicNow() + START_MS;
  while ((await ask<Links>(guests)).links < agents) {
    if (monotonicNow() > end)
      throw new Error(`not all ${agents} agents were linked within ${START_MS / 1000} s`);
    await delay(500);
  }
}

/** Resolves when every agent has its configuration: a message to one that has not is refused. */
async function allConfigured(url: string): Promise<void> {
  const end = monotonicNow() + START_MS;
  for (let at = 0; at < agents; at++) {
    for (;;) {
      const answer = await fetch(`${url}/agents/agent-${at}`);
      const { config_state: state } = (await answer.json()) as { config_state?: string };
      if (state === "applied") break;
      if (monotonicNow() > end)
        throw new Error(`agent-${at} was not configured within ${START_MS / 1000} s: ${state}`);
      await delay(200);
    }
  }
}

/** What a process answers when it is asked what it holds. */
async function ask<T>(child: ChildProcess): Promise<T> {
  child.send("look");
  const [answer] = (await once(child, "message", { signal: AbortSignal.timeout(60_000) })) as [T];
  return answer;
}

async function look({ server, guests }: Processes): Promise<Sample> {
  return { at: monotonicNow(), ...(await ask<Holdings>(server)), ...(await ask<Links>(guests)) };
}

/** Keeps streams going and looks at what the control plane holds; true if it holds no more at the end than it must. */
async function soak(processes: Processes, url: string): Promise<boolean> {
  const stop = new AbortController();
  const http = new Agent({ keepAlive: true, maxSockets: streams });
  const tally: Tally = { finished: 0, chunks: 0, dropped: [] };
  const reading = Array.from({ length: streams }, (_, at) =>
    readStreams(url, http, `agent-${at}`, tally, stop.signal),
  );
  const samples: Sample[] = [];
  const end = monotonicNow() + minutes * 60_000;
  // What is compiled and cached at first is no leak: a fifth of the time passes before the first sample counts.
  await delay(minutes * 12_000);
  while (monotonicNow() < end) {
    const sample = await look(processes);
    samples.push(sample);
    const mib = (bytes: number) => (bytes / 1_048_576).toFixed(1);
    console.log(
      `heap ${mib(sample.heap)} MiB, rss ${mib(sample.rss)} MiB, ${sample.descriptors} descriptors, ${sample.links} links, ${tally.finished} streams`,
    );
    await delay(SAMPLE_MS);
  }
  stop.abort();
  await Promise.all(reading);
  http.destroy();
  return judge(samples, tally);
}

function judge(samples: readonly Sample[], tally: Tally): boolean {
  const first = samples[0] as Sample;
  const last = samples.at(-1) as Sample;
  const { slope, error } = slopeOf(samples);
  const mib = (bytes: number) => (bytes / 1_048_576).toFixed(2);
  const checks: [string, boolean][] = [
    [`heap slope ${mib(slope)} MiB a minute, give or take ${mib(2 * error)}`, slope - 2 * error < SLOPE],
    [
      `descriptors ${first.descriptors} at first, ${last.descriptors} at last`,
      last.descriptors <= first.descriptors + DESCRIPTORS,
    ],
    [
      `${tally.finished} streams and ${tally.chunks} chunks read, ${tally.dropped.length} dropped`,
      tally.dropped.length === 0 && tally.finished > 0,
    ],
    [`${last.links} of ${agents} links up, ${last.lost} lost`, last.links === agents && last.lost === 0],
  ];
  for (const [text, isGood] of checks) console.log(`${isGood ? "ok    " : "FAILED"} ${text}`);
  for (const [reason, count] of reasonsOf(tally.dropped)) console.error(`${count} x ${reason}`);
  const failed = checks.filter(([, isGood]) => !isGood).length;
  console.log(`${checks.length - failed} passed, ${failed} failed`);
  return failed === 0;
}

/** How often streams were dropped for the same reason: those of one text but for numbers and ids. */
function reasonsOf(dropped: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of dropped) {
    const reason = line.replace(/[0-9a-f-]{36}|\d+/g, "N");
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return counts;
}

/** Bytes of heap a minute by least squares, and the standard error of that: few samples swing with the garbage of the moment. */
function slopeOf(samples: readonly Sample[]): { slope: number; error: number } {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const at = mean(samples.map((sample) => sample.at));
  const heap = mean(samples.map((sample) => sample.heap));
  const spread = samples.reduce((sum, sample) => sum + (sample.at - at) ** 2, 0);
  if (samples.length < 3) throw new Error("too short to tell a slope: give more --minutes");
  const slope = samples.reduce((sum, sample) => sum + (sample.at - at) * (sample.heap - heap), 0) / spread;
  const rest = samples.reduce((sum, sample) => sum + (sample.heap - heap - slope * (sample.at - at)) ** 2, 0);
  return { slope: slope * 60_000, error: Math.sqrt(rest / (samples.length - 2) / spread) * 60_000 };
}

await main();
