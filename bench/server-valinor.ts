/** The control plane itself, as src/server.ts composes it, with the fake guests as its agents. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../src/config.ts";
import { startServer } from "../src/server.ts";
import { pino } from "pino";
import { argument, serveControl } from "./control.ts";
import type { ServerArgument } from "./server-argument.ts";

const { guestPorts } = argument() as ServerArgument;

const config: Config = {
  mode: "serve",
  proxy: {
    transport: "tcp",
    tcpBasePort: 9_100,
    hybridPath: "/run/valinor/{agent_id}.sock",
    guestPort: 1_024,
    messageTimeoutMs: 60_000,
    configTimeoutMs: 5_000,
    pingTimeoutMs: 3_000,
    guestToken: "",
    allowedAddresses: ["tcp://127.0.0.1:*"],
  },
  server: {
    host: "127.0.0.1",
    port: 0,
    allowedOrigins: [],
    allowedHosts: [],
    noticeMs: 0,
    drainMs: 0,
    tls: undefined,
  },
  auth: { apiKeys: false, issuers: [], required: false },
  quotas: { tenantRequestsPerSecond: 0, keyRequestsPerSecond: 0, tenantRuns: 0, keyRuns: 0 },
  secretKeys: [],
  refreshMs: 5_000,
  store: { kind: "sqlite", path: ":memory:" },
  log: { level: "warn" },
  agents: guestPorts.map((port, index) => ({
    tenant: "default",
    id: `bench${index}`,
    status: "RUNNING",
    vsockCid: 0,
    address: `tcp://127.0.0.1:${port}`,
  })),
};

const server = await startServer(config, { logger: pino({ level: "warn" }) });
for (const agent of config.agents) await untilConfigured(agent.id);
serveControl([server.port, server.port], () => 0);

/** Waits, 10 s at most, until the agent's link is up and its configuration in force. */
async function untilConfigured(id: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const response = await fetch(`${server.url}/agents/${id}`);
    const status = (await response.json()) as { connected: boolean; observed_revision: number };
    if (status.connected && status.observed_revision === 1) return;
    await sleep(50);
  }
  throw new Error(`agent ${id} is not ready`);
}
