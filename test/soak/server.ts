/** A control plane in a process of its own that tells, when it is asked, what it holds. */
import { readdirSync } from "node:fs";
import { pino } from "pino";
import { loadConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";

/** The process's argument. */
export interface ServerArgument {
  readonly store: string;
  readonly agents: number;
  /** Folder with a socket for each agent: `0.sock` and so on. */
  readonly guests: string;
}

/** What a control plane holds; sizes are bytes, after garbage was collected. */
export interface Holdings {
  readonly heap: number;
  readonly external: number;
  readonly rss: number;
  readonly descriptors: number;
}

const { store, agents, guests } = JSON.parse(process.argv[2] ?? "{}") as ServerArgument;
const logger = pino({ level: "error" }, process.stderr);
const config = loadConfig({ env: {}, flags: { server: { port: 0 }, store: { url: store } }, mode: "dev" });
const server = await startServer(
  {
    ...config,
    agents: Array.from({ length: agents }, (_, at) => ({
      tenant: "default",
      id: `agent-${at}`,
      address: `unix://${guests}/${at}.sock`,
      vsockCid: 0,
      status: "RUNNING" as const,
    })),
  },
  { logger },
);

function holdings(): Holdings {
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed, external, rss, descriptors: readdirSync("/proc/self/fd").length };
}

process.on("message", () => process.send?.(holdings()));
process.on("disconnect", () => void server.close().then(() => process.exit(0)));
process.send?.(server.url);
