import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import {
  type Agent,
  AgentRegistry,
  type WatchAgentsResponse,
} from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { ConfigState } from "../../gen/ts/valinor/v1/types_pb.ts";
import { loadConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { collect } from "../e2e/collect.ts";
import { startTestAgent } from "../e2e/stack.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { rpcFailureOf } from "../helpers/failures.ts";
import { startModel } from "../helpers/model.ts";
import { startPostgres } from "../helpers/postgres.ts";
import { until } from "../helpers/until.ts";
import { startGuest } from "../link/fake-guest.ts";

/** How long the database is away. */
const OUTAGE_MS = 20_000;
/** How soon a call must say that it is. */
const FAILS_MS = 5_000;

/** A control plane on a PostgreSQL server of its own, with a real agent and a guest that can be restarted. */
async function start() {
  const postgres = await startPostgres();
  const url = postgres.url(await postgres.createDatabase());
  const config = loadConfig({
    env: {},
    flags: { server: { port: 0 }, store: { url, refresh_seconds: 1 } },
    mode: "dev",
  });
  const server = await startServer(
    { ...config, server: { ...config.server, drainMs: 0 } },
    { logger: pino({ level: "silent" }) },
  );
  afterFile(() => server.close());
  const transport = createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" });
  const registry = createClient(AgentRegistry, transport);
  const model = await startModel();
  const agent = await startTestAgent("demo", model.url);
  const guest = await startGuest();
  await registry.createAgent({ agent: { id: "demo", address: agent.address } });
  await registry.createAgent({ agent: { id: "other", address: guest.address } });
  return { postgres, registry, guest, proxy: createClient(AgentProxy, transport) };
}

/** The reason that a call fails with, and how long that took. */
async function failure(call: Promise<unknown>): Promise<{ reason: string | undefined; ms: number }> {
  const began = performance.now();
  const { reason } = await rpcFailureOf(call);
  return { reason, ms: performance.now() - began };
}

describe("while PostgreSQL is away for 20 s", () => {
  it("streams go on, what needs the store says so soon, and afterwards all is as it should be", async () => {
    const { postgres, registry, proxy, guest } = await start();
    const applied = async (agentId: string, revision: number) => {
      const { agent } = await registry.getAgent({ agentId });
      const { configState, observedRevision } = agent?.liveness ?? {};
      return (
        configState === ConfigState.APPLIED &&
        observedRevision === revision &&
        agent?.configRevision === revision
      );
    };
    await until(
      "both have their configuration",
      async () => (await applied("demo", 1)) && applied("other", 1),
    );

    const events: WatchAgentsResponse["event"][] = [];
    const leaving = new AbortController();
    const watching = (async () => {
      for await (const { event } of registry.watchAgents({}, { signal: leaving.signal })) events.push(event);
    })().catch((error: unknown) => error);
    await until("the snapshot is complete", () => events.some((event) => event.case === "snapshotComplete"));

    let words = 0;
    const content = "!words 600 !pace 45";
    const stream = collect(proxy.stream({ agentId: "demo", message: { content } }), () => words++);
    await until("the stream is under way", () => words > 10);

    postgres.stop("immediate");
    const back = performance.now() + OUTAGE_MS;
    await guest.down();
    Object.assign(guest, { bootId: "boot-2", revision: 0, sha256: "" });
    await guest.up();
    while (performance.now() < back) {
      const before = words;
      const failures = await Promise.all([
        failure(registry.getAgent({ agentId: "demo" })),
        failure(registry.listAgents({})),
        failure(registry.listConfigRevisions({ agentId: "demo" })),
        failure(registry.watchAgents({})[Symbol.asyncIterator]().next()),
        failure(registry.createAgent({ agent: { id: "new" } })),
        failure(proxy.pushConfig({ agentId: "demo", config: { n: 1 } })),
        failure(registry.rollbackConfig({ agentId: "demo", revision: 1 })),
      ]);
      for (const { reason, ms } of failures) {
        expect(reason).toBe("STORE_UNAVAILABLE");
        expect(ms).toBeLessThan(FAILS_MS);
      }
      const answer = await proxy.sendMessage({ agentId: "demo", message: { content: "!echo still here" } });
      expect(answer.content).toContain("still here");
      await until("the stream goes on", () => words > before);
      await sleep(1_000);
    }
    expect(await proxy.getAgentStatus({ agentId: "other" })).toMatchObject({
      connected: true,
      configState: ConfigState.PENDING,
    });
    expect(events.some((event) => event.case === "resync")).toBe(false);

    postgres.start();
    await until("the watcher is told to look again", () => events.some((event) => event.case === "resync"));
    const resync = events.findIndex((event) => event.case === "resync");
    const anew = () => events.slice(resync);
    await until("it gets a snapshot", () => anew().some((event) => event.case === "snapshotComplete"));
    const agents = anew().flatMap((event): Agent[] => (event.case === "agent" ? [event.value] : []));
    expect(new Set(agents.map(({ id }) => id))).toEqual(new Set(["demo", "other"]));

    await until("the guest that came back has its configuration", () => applied("other", 1));
    const { agent } = await registry.getAgent({ agentId: "demo" });
    const revision = (agent?.configRevision ?? 0) + 1;
    expect(await proxy.pushConfig({ agentId: "demo", config: { n: 2 } })).toMatchObject({
      revision,
      applied: true,
    });
    expect(await applied("demo", revision)).toBe(true);
    expect((await stream).finishReason).toBe("stop");
    leaving.abort();
    await watching;
  });
});
