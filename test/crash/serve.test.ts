import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { expect, test } from "vitest";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { freePort } from "../helpers/ports.ts";
import { type Program, spawnValinor } from "../helpers/process.ts";

const KILLS = 10;
const CLIENTS = 4;
/** Longest life of a server that writes, milliseconds. */
const LIFE_MS = 1_000;
const READY_MS = 2_000;
/** Longest wait for a server that is not ready in time, to tell by how much. */
const PATIENCE_MS = 20_000;

/** Agents that the clients know of, and the configuration that each was last told is stored. */
type Acknowledged = Map<string, { revision: number; n: number }>;

interface Server {
  readonly program: Program;
  readonly registry: Client<typeof AgentRegistry>;
  readonly proxy: Client<typeof AgentProxy>;
  /** From the start of the process until /readyz said 200, milliseconds, without the time in which other programs had the processor. */
  readonly readyMs: number;
}

test(`a server that is killed ${KILLS} times has all that it acknowledged, and is ready in ${READY_MS} ms`, async () => {
  const dir = tempDir();
  const path = join(dir, "valinor.db");
  const file = join(dir, "valinor.yaml");
  const port = await freePort();
  writeFileSync(
    file,
    `server: {port: ${port}}\nstore: {url: "sqlite:${path}"}\nproxy: {config_timeout: 0.05}\n`,
  );
  const acknowledged: Acknowledged = new Map();
  let slowest = 0;
  for (let kill = 0; kill <= KILLS; kill++) {
    const server = await startServing(file, port);
    slowest = Math.max(slowest, server.readyMs);
    await expectAll(server, acknowledged);
    if (kill < KILLS) await writeUntilKilled(server, acknowledged, kill);
    else server.program.kill("SIGTERM");
    await server.program.exited;
  }
  const store = await openSqliteStore(path);
  const entries = await store.listAudit({ after: 0, limit: 100_000 });
  await store.close();
  for (const [id, { revision }] of acknowledged) {
    const pushed = entries.filter((entry) => entry.action === "config.push" && entry.agentId === id);
    expect(pushed.map(({ detail }) => detail["revision"])).toContain(revision);
  }
  expect(acknowledged.size).toBeGreaterThan(KILLS);
  console.log(
    `${acknowledged.size} agents, ${entries.length} entries, ready in ${slowest.toFixed(0)} ms at most`,
  );
  expect(slowest).toBeLessThan(READY_MS);
});

async function startServing(file: string, port: number): Promise<Server> {
  const began = performance.now();
  const program = spawnValinor(["serve", "--config", file]);
  const url = `http://127.0.0.1:${port}`;
  while (!(await isReady(url))) {
    if (performance.now() - began > PATIENCE_MS) throw new Error(`not ready: ${program.stderr()}`);
    await sleep(10);
  }
  const readyMs = performance.now() - began - waitedMs(program.pid);
  const transport = createConnectTransport({ baseUrl: url, httpVersion: "1.1" });
  return {
    program,
    readyMs,
    registry: createClient(AgentRegistry, transport),
    proxy: createClient(AgentProxy, transport),
  };
}

/** How long a process was ready to run and did not, since there are more programs than processors. 0 if nobody counts it. */
function waitedMs(pid: number): number {
  const path = `/proc/${pid}/schedstat`;
  const [, waited = "0"] = existsSync(path) ? readFileSync(path, "utf8").split(" ") : [];
  return Number(waited) / 1e6;
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).status === 200;
  } catch {
    return false;
  }
}

/** Creates agents and pushes to them from several clients, until the server is killed at some moment and each call fails. */
async function writeUntilKilled(server: Server, acknowledged: Acknowledged, kill: number): Promise<void> {
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    for (let n = 1; ; n++) {
      const id = `a-${kill}-${client}-${Math.ceil(n / 5)}`;
      if (n % 5 === 1) await server.registry.createAgent({ agent: { id } });
      const { revision } = await server.proxy.pushConfig({ agentId: id, config: { n } });
      acknowledged.set(id, { revision, n });
    }
  });
  const ended = Promise.allSettled(clients);
  await Promise.race([sleep(100 + Math.random() * LIFE_MS), ended]);
  server.program.kill("SIGKILL");
  const { signal } = await server.program.exited;
  expect(signal).toBe("SIGKILL");
  await ended;
}

async function expectAll({ registry }: Server, acknowledged: Acknowledged): Promise<void> {
  for (const [id, { revision, n }] of acknowledged) {
    const { revisions } = await registry.listConfigRevisions({ agentId: id });
    expect(revisions.find((each) => each.revision === revision)?.config).toEqual({ n });
    const { agent } = await registry.getAgent({ agentId: id });
    // One more may have been stored whose answer the kill cut off.
    expect([revision, revision + 1]).toContain(agent?.configRevision);
  }
}
