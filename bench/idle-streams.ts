/** What an open stream costs a server while nothing comes: heap and memory of the process, for Valinor and for bare servers. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Child, startChild } from "./child.ts";
import { type Figure, figureOf } from "./figures.ts";
import { type MeasureOptions, portFor } from "./group.ts";
import type { GuestArgument } from "./guest.ts";
import type { LoadArgument } from "./load.ts";
import type { ServerArgument } from "./server-argument.ts";

/** Streams that are opened before the first look, so that what all of them share is not counted, and those that are counted. */
const FIRST = 500;
const COUNTED = 2_000;
/** Agents that the streams are spread over. */
const AGENTS = 64;
/** Time for streams to open, milliseconds. */
const SETTLE_MS = 2_000;

const PAIRS = [
  ["valinor", "sse"],
  ["http", "sse"],
  ["valinor", "connect"],
  ["connect", "connect"],
  ["valinor", "grpc"],
  ["connect", "grpc"],
] as const;

/** Measures `idle-stream/SERVER/PROTOCOL:heap` and `:rss`, kilobytes (1,024 bytes) for one stream. */
export async function measureIdleStreams({ cores }: MeasureOptions): Promise<Record<string, Figure>> {
  const figures: Record<string, Figure> = {};
  for (const [server, speaks] of PAIRS) {
    const { heap, rss } = await measure(server, speaks, cores);
    figures[`idle-stream/${server}/${speaks}:heap`] = figureOf([heap], "KB");
    figures[`idle-stream/${server}/${speaks}:rss`] = figureOf([rss], "KB");
  }
  return figures;
}

async function measure(program: string, speaks: LoadArgument["speaks"], cores: MeasureOptions["cores"]) {
  const children: Child[] = [];
  const start = async (script: string, argument: unknown, core: number | undefined) => {
    const child = await startChild({ script, argument, core, nodeOptions: ["--expose-gc"] });
    children.push(child);
    return child;
  };
  try {
    const guest = await start("guest.ts", { guests: AGENTS } satisfies GuestArgument, cores?.load);
    const argument = { guestPorts: guest.ports } satisfies ServerArgument;
    const server = await start(`server-${program}.ts`, argument, cores?.server);
    const open = async (clients: number) => {
      const streams: LoadArgument = {
        speaks,
        port: portFor(speaks, server),
        clients,
        agents: AGENTS,
        content: "idle",
      };
      await untilCounted(await start("load.ts", streams, cores?.load), clients);
      return server.sample("collect");
    };
    const before = await open(FIRST);
    const after = await open(COUNTED);
    const each = (bytes: number) => bytes / 1024 / COUNTED;
    return { heap: each(after.heap - before.heap), rss: each(after.rss - before.rss) };
  } finally {
    for (const child of children.toReversed()) await child.stop();
  }
}

/** Waits, 30 s at most, until each stream has brought its only chunk, and then a little. */
async function untilCounted(load: Child, count: number): Promise<void> {
  const end = performance.now() + 30_000;
  while ((await load.sample()).count < count) {
    if (performance.now() > end) throw new Error("not all streams were opened");
    await sleep(100);
  }
  await sleep(SETTLE_MS);
}
