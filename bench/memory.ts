/**
 * Measures what the control plane takes as a program of its own: memory without agents, with thousands of idle ones, after all their guests
 * have started again, under load and a minute later; and how long it takes to create them from its configuration, and to link to them after a
 * restart. One JSON object goes to standard output. `npm run bench:memory`.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Child, startChild } from "./child.ts";
import type { GuestArgument } from "./guest.ts";
import { IdleFleet } from "./idle-fleet.ts";
import type { LoadArgument } from "./load.ts";
import { processMemory, threadsCpuMs } from "./proc.ts";
import { type ServerProgram, startProgram, valinor } from "./program.ts";
import { machine } from "./report.ts";

const USAGE = `usage: npm run bench:memory -- [options]
  --agents N,N   numbers of idle agents (0,1000,10000)
  --load S       seconds of load: 64 agents, one stream each, and 64 unary clients (10; 0: none)
  --rest S       seconds after it (60)
  --node TEXT    options of Node for the server, separated by blanks
  --program FILE what runs (bin/valinor.js: the bundle if it is up to date)`;

const { values } = parseArgs({
  options: {
    agents: { type: "string", default: "0,1000,10000" },
    load: { type: "string", default: "10" },
    rest: { type: "string", default: "60" },
    node: { type: "string", default: "" },
    program: { type: "string", default: valinor },
    help: { type: "boolean", default: false },
  },
});

const UP_MS = 60_000;
const SETTLE_MS = 3_000;
const STREAMS = 64;

/** Figures of one number of agents. Memory in MiB, heap in bytes an agent, times in milliseconds. */
interface Idle {
  readonly agents: number;
  readonly rss: number;
  readonly anonymous: number;
  readonly rssAfterGuestsRestarted: number;
  readonly heapAnAgent: number;
  readonly firstStartMs: number;
  readonly firstStartCpuMs: number;
  readonly firstLinksMs: number;
  readonly restartMs: number;
  readonly restartLinksMs: number;
  readonly restartLinksCpuMs: number;
  readonly guestsRestartMs: number;
}

class Scene {
  readonly #dir = mkdtempSync(join(tmpdir(), "valinor-bench-"));

  /** Starts the server with these guests; the store of this scene stays from one start to the next. */
  start(ports: readonly number[], heap: boolean): Promise<ServerProgram> {
    const agents = ports.map(
      (port, index) => `  - { id: bench${index}, address: "tcp://127.0.0.1:${port}" }`,
    );
    const file = join(this.#dir, "valinor.yaml");
    const store = `store: { url: "sqlite:${join(this.#dir, "valinor.db")}" }`;
    const head = ["server: { port: 0 }", store, "log: { level: info }"];
    writeFileSync(file, [...head, ...(agents.length === 0 ? [] : ["agents:", ...agents]), ""].join("\n"));
    const node = values.node.split(" ").filter((option) => option !== "");
    return startProgram({ args: [...node, values.program, "serve", "--config", file], heap });
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

async function idle(agents: number): Promise<Idle> {
  const scene = new Scene();
  const guests = await IdleFleet.start(agents);
  let server: ServerProgram | undefined;
  try {
    let startedAt = performance.now();
    server = await scene.start(guests.ports, false);
    const { readyMs: firstStartMs, readyCpuMs: firstStartCpuMs } = server;
    await allUp(guests, agents);
    const firstLinksMs = performance.now() - startedAt;
    await sleep(SETTLE_MS);
    const { rss, anonymous } = processMemory(server.pid);
    await server.stop();

    startedAt = performance.now();
    server = await scene.start(guests.ports, true);
    const restartMs = server.readyMs;
    await allUp(guests, agents);
    const restartLinksMs = performance.now() - startedAt;
    const restartLinksCpuMs = threadsCpuMs(server.pid);
    await sleep(SETTLE_MS);
    const heapAnAgent = agents === 0 ? 0 : (await server.heap()) / agents;
    await server.stop();

    server = await scene.start(guests.ports, false);
    await allUp(guests, agents);
    startedAt = performance.now();
    await guests.restart();
    await sleep(50);
    await allUp(guests, agents);
    const guestsRestartMs = performance.now() - startedAt;
    await sleep(SETTLE_MS);
    const rssAfterGuestsRestarted = processMemory(server.pid).rss;
    return {
      agents,
      rss,
      anonymous,
      rssAfterGuestsRestarted,
      heapAnAgent,
      firstStartMs,
      firstStartCpuMs,
      firstLinksMs,
      restartMs,
      restartLinksMs,
      restartLinksCpuMs,
      guestsRestartMs,
    };
  } finally {
    await server?.stop();
    await guests.stop();
    scene.close();
  }
}

async function allUp(guests: IdleFleet, agents: number): Promise<void> {
  const end = performance.now() + UP_MS;
  for (;;) {
    const count = await guests.up();
    if (count >= agents) return;
    if (performance.now() > end) throw new Error(`${count} links of ${agents} came up`);
    await sleep(20);
  }
}

/** Most memory under load, and that after a rest, MiB; then what is in use of the heap, and the memory once that was collected. */
async function loaded(seconds: number, rest: number): Promise<Record<string, number>> {
  const scene = new Scene();
  const children: Child[] = [];
  let server: ServerProgram | undefined;
  try {
    const guest = await startChild({
      script: "guest.ts",
      argument: { guests: STREAMS } satisfies GuestArgument,
      core: undefined,
    });
    children.push(guest);
    server = await scene.start(guest.ports, true);
    await sleep(SETTLE_MS);
    const before = processMemory(server.pid).rss;
    const port = Number(new URL(server.url).port);
    for (const [speaks, content] of [
      ["sse", "each"],
      ["connect", "batch"],
      ["rest", "unary"],
      ["connect-unary", "unary"],
    ] as const) {
      const load: LoadArgument = { speaks, port, clients: STREAMS, agents: STREAMS, content };
      children.push(await startChild({ script: "load.ts", argument: load, core: undefined }));
    }
    let most = 0;
    for (const end = performance.now() + seconds * 1_000; performance.now() < end; await sleep(200))
      most = Math.max(most, processMemory(server.pid).rss);
    while (children.length > 1) await children.pop()?.stop();
    await sleep(rest * 1_000);
    const after = processMemory(server.pid).rss;
    const heap = (await server.heap()) / 2 ** 20;
    return { before, most, after, heap, afterCollection: processMemory(server.pid).rss };
  } finally {
    for (const child of children.toReversed()) await child.stop();
    await server?.stop();
    scene.close();
  }
}

if (values.help) console.log(USAGE);
else {
  const fleets: Idle[] = [];
  for (const agents of values.agents.split(",").filter((text) => text !== "")) {
    fleets.push(await idle(Number(agents)));
    console.error(JSON.stringify(fleets.at(-1)));
  }
  const load = Number(values.load) > 0 ? await loaded(Number(values.load), Number(values.rest)) : undefined;
  console.log(JSON.stringify({ machine: machine(), fleets, load }, undefined, 2));
}
