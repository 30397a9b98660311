/**
 * Measures what a link costs its host while nothing is under way: heap, memory of the process and CPU for thousands of links to a fake
 * guest in another process. See docs/performance.md, section "Idle links". Start it by `npm run bench:links`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createIntake } from "../src/link/intake.ts";
import { createLink, type LinkOptions } from "../src/link/link.ts";
import { dial } from "../protocol/transport/dial.ts";
import { LinkError } from "../protocol/wire/errors.ts";
import { startChild } from "./child.ts";
import { machine } from "./report.ts";

const USAGE = `usage: npm run bench:links -- [options]
  --links N    links at once (10000)
  --seconds N  time in which the CPU of idle links is measured (10)
  --json       print one JSON object in place of sentences`;

const { values } = parseArgs({
  options: {
    links: { type: "string", default: "10000" },
    seconds: { type: "string", default: "10" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** What was measured; of one link unless the name says otherwise. */
interface IdleFigures {
  readonly links: number;
  readonly up: number;
  readonly heapBytes: number;
  readonly rssBytes: number;
  /** Of the whole process. */
  readonly processMiB: number;
  /** CPU of all links, of a core. */
  readonly cpuPercent: number;
}

/** Links that are made first, so that what all of them share is not counted. */
const FIRST = 50;
/** Links that are begun in one turn of the event loop. */
const AT_ONCE = 200;
const UP_MS = 60_000;

async function measure(count: number, idleMs: number): Promise<IdleFigures> {
  if (!(count >= 1) || !(idleMs > 0)) throw new Error(USAGE);
  const guest = await startChild({ script: "guest.ts", argument: { guests: 1 }, core: undefined });
  const links = new Links(guest.ports[0] ?? 0);
  try {
    await links.add(FIRST);
    const before = memory();
    await links.add(count);
    const idle = process.cpuUsage();
    await sleep(idleMs);
    const { user, system } = process.cpuUsage(idle);
    const after = memory();
    return {
      links: FIRST + count,
      up: links.up,
      heapBytes: Math.round((after.heapUsed - before.heapUsed) / count),
      rssBytes: Math.round((after.rss - before.rss) / count),
      processMiB: Math.round(after.rss / 2 ** 20),
      cpuPercent: Number(((user + system) / 10 / idleMs).toFixed(1)),
    };
  } finally {
    links.close();
    await guest.stop();
  }
}

function print({ links, up, heapBytes, rssBytes, processMiB, cpuPercent }: IdleFigures): void {
  console.log(machine());
  console.log(`${up} links of ${links} are up`);
  console.log(`heap of a link: ${heapBytes} bytes`);
  console.log(`memory of the process for a link: ${rssBytes} bytes`);
  console.log(`memory of the process: ${processMiB} MiB`);
  console.log(`CPU of idle links: ${cpuPercent} % of a core`);
}

/** Links to one guest, each with an owner that keeps nothing. */
class Links {
  readonly #port: number;
  readonly #intake = createIntake();
  readonly #links: ReturnType<typeof createLink>[] = [];

  constructor(port: number) {
    this.#port = port;
  }

  /** How many are up. */
  get up(): number {
    return this.#links.filter(({ current }) => current !== undefined).length;
  }

  /** Makes more, and waits until all are up. */
  async add(count: number): Promise<void> {
    const all = this.#links.length + count;
    while (this.#links.length < all) {
      this.#links.push(createLink(this.#options(`agent-${this.#links.length}`)));
      if (this.#links.length % AT_ONCE === 0) await sleep(1);
    }
    const end = performance.now() + UP_MS;
    while (this.up < all) {
      if (performance.now() > end) throw new Error(`${this.up} links of ${all} came up`);
      await sleep(20);
    }
    await sleep(1_000);
  }

  close(): void {
    for (const link of this.#links) link.close(new LinkError("closed", "it is measured"));
  }

  #options(agentId: string): LinkOptions {
    return {
      token: "",
      agentId,
      pingMs: 3_000,
      silenceMs: 60_000,
      intake: this.#intake,
      dial: (signal) => dial({ kind: "tcp", host: "127.0.0.1", port: this.#port }, signal),
      onUp: () => {},
      onDown: () => {},
      onHeartbeat: () => {},
    };
  }
}

/** What the process takes, garbage apart. */
function memory(): NodeJS.MemoryUsage {
  if (globalThis.gc === undefined) throw new Error("start this with --expose-gc");
  for (let i = 0; i < 5; i++) globalThis.gc();
  return process.memoryUsage();
}

if (values.help) console.log(USAGE);
else {
  const figures = await measure(Number(values.links), Number(values.seconds) * 1_000);
  if (values.json) console.log(JSON.stringify(figures));
  else print(figures);
}
