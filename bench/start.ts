/**
 * Measures the start of the control plane, from its program's start to the first answer of `/readyz`, beside a bare node:http server: time, CPU,
 * and the memory of a server that has nothing to do. Medians of rounds that take turns; one JSON object goes to standard output.
 * `npm run bench:start`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { join } from "node:path";
import { processMemory } from "./proc.ts";
import { startProgram, valinor } from "./program.ts";
import { machine } from "./report.ts";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "7" } } });

/** A server that answers, and says where as `valinor serve` does. */
const BARE = `
import { createServer } from "node:http";
const server = createServer((_, response) => response.end("ok")).listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ url: "http://127.0.0.1:" + server.address().port }));
});
process.on("SIGTERM", () => process.exit(0));
`;

const SOURCES = `
import { main } from ${JSON.stringify(join(import.meta.dirname, "../bin/main.ts"))};
await main(process.argv.slice(2), process.env);
`;

const SERVE = ["serve", "--port", "0"];
const YOUNG = "--max-semi-space-size=8";

const variants: Readonly<Record<string, readonly string[]>> = {
  "bare node:http": ["--input-type=module", "--eval", BARE],
  "bin/valinor.js": [valinor, ...SERVE],
  "bin/valinor.js, given its option": [YOUNG, valinor, ...SERVE],
  sources: [YOUNG, "--input-type=module", "--eval", SOURCES, "valinor", ...SERVE],
};

/** What one start took: milliseconds, and MiB. */
type Start = Readonly<Record<"readyMs" | "readyCpuMs" | "rss" | "anonymous", number>>;

const IDLE_MS = 500;

async function start(args: readonly string[]): Promise<Start> {
  const server = await startProgram({ args, env: { VALINOR_STORE_URL: "sqlite::memory:" } });
  try {
    const { readyMs, readyCpuMs } = server;
    await sleep(IDLE_MS);
    return { readyMs, readyCpuMs, ...processMemory(server.pid) };
  } finally {
    await server.stop();
  }
}

function medians(starts: readonly Start[]): Start {
  const of = (name: keyof Start): number =>
    starts.map((each) => each[name]).toSorted((a, b) => a - b)[starts.length >> 1] ?? Number.NaN;
  return { readyMs: of("readyMs"), readyCpuMs: of("readyCpuMs"), rss: of("rss"), anonymous: of("anonymous") };
}

const starts = new Map<string, Start[]>(Object.keys(variants).map((name) => [name, []]));
for (let round = 0; round < Number(values.rounds); round++)
  for (const [name, args] of Object.entries(variants)) starts.get(name)?.push(await start(args));
const rows = Object.fromEntries([...starts].map(([name, all]) => [name, medians(all)]));
console.log(JSON.stringify({ machine: machine(), starts: rows }, undefined, 2));
