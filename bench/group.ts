import { setTimeout as sleep } from "node:timers/promises";
import { type Child, startChild } from "./child.ts";
import type { Sample } from "./control.ts";
import type { GuestArgument } from "./guest.ts";
import type { LatencyFigures } from "./latency.ts";
import type { LoadArgument } from "./load.ts";
import { DISTURBANCE, machineCpuUs, untilQuiet } from "./quiet.ts";
import type { ServerArgument } from "./server-argument.ts";
import type { Variant } from "./variants.ts";

/** How to measure. Durations are seconds. */
export interface MeasureOptions {
  /** Measured time of each round of each variant. */
  readonly seconds: number;
  /** Time under load before a server's first round, in which it becomes warm. */
  readonly warmup: number;
  readonly rounds: number;
  /** Core of the server, and core of guests and clients; undefined: not pinned. */
  readonly cores: Cores | undefined;
  /** Folder for the servers' CPU profiles; undefined: none. */
  readonly profile: string | undefined;
  /** Until when (of performance.now) to wait, and to measure again, while other processes use the cores. */
  readonly deadline: number;
}

/** Where processes are pinned to. */
export interface Cores {
  readonly server: number;
  readonly load: number;
}

/** What one round saw. */
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

/** Time under load before a later round: connections and streams are open, and the server's young heap is as under load. */
const SETTLE_SECONDS = 0.7;

/** A variant's guests and server, which live through all its rounds. */
interface Stand {
  readonly variant: Variant;
  readonly guest: Child;
  readonly server: Child;
}

/**
 * Measures variants that are compared with each other, in turn within each round, so that what disturbs the machine for a while disturbs
 * all of them. Every variant has its own guests and server for all rounds, which rest while another is measured, and new clients for
 * each round. `onRound` hears of every round. All processes have ended when it resolves or rejects.
 */
export async function measureGroup(
  variants: readonly Variant[],
  options: MeasureOptions,
  onRound: (variant: Variant, round: number, measured: Measurement) => void,
): Promise<Map<Variant, Measurement[]>> {
  const children: Child[] = [];
  const measured = new Map<Variant, Measurement[]>(variants.map((variant) => [variant, []]));
  try {
    const stands: Stand[] = [];
    for (const variant of variants) stands.push(await standOf(variant, options, children));
    for (let round = 1; round <= options.rounds; round++) {
      for (const stand of stands) {
        const result = await measureQuietly(stand, options, round === 1 ? options.warmup : SETTLE_SECONDS);
        measured.get(stand.variant)?.push(result);
        onRound(stand.variant, round, result);
      }
    }
    return measured;
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}

async function standOf(variant: Variant, options: MeasureOptions, children: Child[]): Promise<Stand> {
  const { agents, server: program } = variant;
  const { cores } = options;
  const guests = { guests: agents } satisfies GuestArgument;
  const guest = await startChild({ script: "guest.ts", argument: guests, core: cores?.load });
  children.push(guest);
  const argument = { guestPorts: guest.ports } satisfies ServerArgument;
  const nodeOptions = profileOptions(variant, options);
  const server = await startChild({
    script: `server-${program}.ts`,
    argument,
    core: cores?.server,
    nodeOptions,
  });
  children.push(server);
  return { variant, guest, server };
}

function profileOptions(variant: Variant, { profile }: MeasureOptions): string[] {
  if (profile === undefined) return [];
  return [
    "--cpu-prof",
    `--cpu-prof-dir=${profile}`,
    `--cpu-prof-name=${variant.name.replaceAll("/", "-")}.cpuprofile`,
  ];
}

/** Measures again while the machine is not quiet and there is time for it. */
async function measureQuietly(stand: Stand, options: MeasureOptions, before: number): Promise<Measurement> {
  for (;;) {
    await untilQuiet(options.deadline);
    const result = await measureOnce(stand, options, before);
    if (result.others <= DISTURBANCE || performance.now() > options.deadline) return result;
  }
}

/** One round: new clients, `before` seconds to come up, and the measured time. */
async function measureOnce(stand: Stand, options: MeasureOptions, before: number): Promise<Measurement> {
  const { variant, guest, server } = stand;
  const { clients, agents, speaks, answer: content } = variant;
  const port = portFor(speaks, server);
  const argument: LoadArgument = { speaks, port, clients, agents, content };
  const load = await startChild({ script: "load.ts", argument, core: options.cores?.load });
  try {
    await sleep(before * 1000);
    return await watch([guest, server, load], options.seconds);
  } finally {
    await load.stop();
  }
}

/** Where a server takes what is spoken: gRPC has a port of its own with servers that do not tell the protocols apart. */
export function portFor(speaks: LoadArgument["speaks"], server: Child): number {
  return server.ports[speaks.startsWith("grpc") ? 1 : 0] ?? 0;
}

async function watch(children: readonly [Child, Child, Child], seconds: number): Promise<Measurement> {
  const look = async () => ({
    machineUs: machineCpuUs(),
    atUs: performance.now() * 1000,
    samples: await Promise.all(children.map((child) => child.sample())),
  });
  const before = await look();
  await sleep(seconds * 1000);
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
