import { setTimeout as sleep } from "node:timers/promises";
import { type Child, startChild } from "./child.ts";
import type { Sample } from "./control.ts";
import type { GuestArgument } from "./guest.ts";
import type { LatencyFigures } from "./latency.ts";
import type { LoadArgument } from "./load.ts";
import { machineCpuUs } from "./quiet.ts";
import type { ServerArgument } from "./server-argument.ts";
import type { Variant } from "./variants.ts";

/** How to measure. Durations are seconds. */
export interface MeasureOptions {
  readonly seconds: number;
  readonly warmup: number;
  /** Core of the server, and core of guests and clients; undefined: not pinned. */
  readonly cores: { readonly server: number; readonly load: number } | undefined;
  /** Folder for the server's CPU profile; undefined: none. */
  readonly profile: string | undefined;
}

/** What one measurement saw. */
export interface Measurement {
  /** CPU of the server process for one operation, user and system, microseconds. */
  readonly us: number;
  /** Operations in a second. */
  readonly rate: number;
  /** Part of a core that the server used, and that guests and clients used together. */
  readonly server: number;
  readonly load: number;
  /** Part of a core that other processes used meanwhile: what is above 0.15 makes `us` too high. */
  readonly others: number;
  /** How long the calls took; undefined for streams. */
  readonly latency: LatencyFigures | undefined;
}

/** Runs one variant in fresh processes: guests, server and clients. All of them have ended when it resolves or rejects. */
export async function measure(variant: Variant, options: MeasureOptions): Promise<Measurement> {
  const { agents, clients, speaks } = variant;
  const { cores } = options;
  const children: Child[] = [];
  const start = async (
    script: string,
    argument: unknown,
    core: number | undefined,
    nodeOptions: string[],
  ) => {
    const child = await startChild({ script, argument, core, nodeOptions });
    children.push(child);
    return child;
  };
  try {
    const guest = await start("guest.ts", { guests: agents } satisfies GuestArgument, cores?.load, []);
    const serverArgument: ServerArgument = { guestPorts: guest.ports };
    const server = await start(
      `server-${variant.server}.ts`,
      serverArgument,
      cores?.server,
      profileOptions(variant, options),
    );
    const port = server.ports[speaks.startsWith("grpc") ? 1 : 0] ?? 0;
    const loadArgument: LoadArgument = { speaks, port, clients, agents, content: variant.answer };
    const load = await start("load.ts", loadArgument, cores?.load, []);
    return await watch({ guest, server, load }, options);
  } finally {
    // The clients first: what ends before them is an error to them.
    for (const child of children.toReversed()) await child.stop();
  }
}

function profileOptions(variant: Variant, { profile }: MeasureOptions): string[] {
  if (profile === undefined) return [];
  return [
    "--cpu-prof",
    `--cpu-prof-dir=${profile}`,
    `--cpu-prof-name=${variant.name.replaceAll("/", "-")}.cpuprofile`,
  ];
}

type Processes = Record<"guest" | "server" | "load", Child>;

async function watch(processes: Processes, options: MeasureOptions): Promise<Measurement> {
  const { guest, server, load } = processes;
  const look = async () => ({
    machineUs: machineCpuUs(),
    atUs: performance.now() * 1000,
    samples: await Promise.all([guest.sample(), server.sample(), load.sample()]),
  });
  await sleep(options.warmup * 1000);
  const before = await look();
  await sleep(options.seconds * 1000);
  const after = await look();
  const used = after.samples.map((sample, index) => usage(before.samples[index], sample));
  const [guestUsed, serverUsed, loadUsed] = used;
  if (guestUsed === undefined || serverUsed === undefined || loadUsed === undefined)
    throw new Error("no sample");
  if (loadUsed.rate === 0) throw new Error("nothing was counted");
  const machine = (after.machineUs - before.machineUs) / (after.atUs - before.atUs);
  return {
    us: (serverUsed.core * 1e6) / loadUsed.rate,
    rate: loadUsed.rate,
    server: serverUsed.core,
    load: guestUsed.core + loadUsed.core,
    others: Math.max(0, machine - guestUsed.core - serverUsed.core - loadUsed.core),
    latency: after.samples[2]?.latency,
  };
}

/** CPU and operations for each second between two samples of one process, by its own clock. */
function usage(before: Sample | undefined, after: Sample): { core: number; rate: number } {
  if (before === undefined) throw new Error("no sample");
  const us = after.atUs - before.atUs;
  return { core: (after.cpuUs - before.cpuUs) / us, rate: ((after.count - before.count) * 1e6) / us };
}
