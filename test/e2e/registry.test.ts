import { type Client, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import { beforeAll, describe, expect, it } from "vitest";
import type { Agent as TestAgent } from "../../agent/agent.ts";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import {
  type Agent,
  AgentRegistry,
  ConfigOutcome,
  type WatchAgentsResponse,
} from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { AgentStatus, ConfigState } from "../../gen/ts/valinor/v1/types_pb.ts";
import { loadConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { rpcFailureOf } from "../helpers/failures.ts";
import { testStoreUrl } from "../helpers/test-store.ts";
import { until } from "../helpers/until.ts";
import { type Stack, startStack, startTestAgent } from "./stack.ts";

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

/** Follows WatchAgents, and keeps what it tells. */
function watch(registry: Client<typeof AgentRegistry>) {
  const leaving = new AbortController();
  const events: WatchAgentsResponse["event"][] = [];
  const agents = new Map<string, Agent>();
  const ended = (async () => {
    try {
      for await (const { event } of registry.watchAgents({}, { signal: leaving.signal })) {
        events.push(event);
        if (event.case === "agent") agents.set(event.value.id, event.value);
        if (event.case === "deletedAgentId") agents.delete(event.value);
      }
      return undefined;
    } catch (error) {
      return ConnectError.from(error);
    }
  })();
  afterFile(() => leaving.abort());
  return {
    events,
    agents,
    ended,
    sees: (id: string, is: (agent: Agent) => boolean) =>
      until(`the watch tells of ${id}`, () => {
        const agent = agents.get(id);
        return agent !== undefined && is(agent) ? agent : undefined;
      }),
    async stop() {
      leaving.abort();
      await ended;
    },
  };
}

describe.each<[string, (url: string) => Transport]>([
  ["Connect", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
])("the registry over %s", (name, transportTo) => {
  const prefix = name.toLowerCase();
  let registry: Client<typeof AgentRegistry>;
  let proxy: Client<typeof AgentProxy>;

  beforeAll(() => {
    const transport = transportTo(stack.url);
    registry = createClient(AgentRegistry, transport);
    proxy = createClient(AgentProxy, transport);
  });

  /** Starts an agent, registers it, and waits until it has its configuration. */
  async function served(id: string): Promise<TestAgent> {
    const agent = await startTestAgent(id, stack.model.url);
    await registry.createAgent({ agent: { id, address: agent.address } });
    await becomes(id, ({ liveness }) => liveness?.configState === ConfigState.APPLIED);
    return agent;
  }

  const becomes = (agentId: string, is: (agent: Agent) => boolean) =>
    until(`${agentId} is so`, async () => {
      const { agent } = await registry.getAgent({ agentId });
      return agent !== undefined && is(agent) ? agent : undefined;
    });

  it("lists by filter, page by page", async () => {
    const ids = [1, 2, 3].map((n) => `${prefix}-list-${n}`);
    for (const id of ids) await registry.createAgent({ agent: { id, status: AgentStatus.STOPPED } });
    const filter = `id = ${prefix}-list-* AND status = STOPPED`;
    const first = await registry.listAgents({ filter, pageSize: 2 });
    expect(first.agents.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const second = await registry.listAgents({ filter, pageSize: 2, pageToken: first.nextPageToken });
    expect(second).toMatchObject({ agents: [{ id: ids[2] }], nextPageToken: "" });
    expect(await rpcFailureOf(registry.listAgents({ filter: "id ~ x" }))).toMatchObject({
      code: Code.InvalidArgument,
      reason: "INVALID_ARGUMENT",
      text: 'filter, character 4: "~" must be in double quotes',
    });
    expect(await rpcFailureOf(registry.listAgents({ pageToken: first.nextPageToken }))).toMatchObject({
      code: Code.InvalidArgument,
    });
  });

  it("updates the fields of the mask, unless somebody was faster", async () => {
    const id = `${prefix}-update`;
    const { agent } = await registry.createAgent({ agent: { id, status: AgentStatus.STOPPED, vsockCid: 9 } });
    const updateMask = { paths: ["status"] };
    const failed = { id, status: AgentStatus.FAILED, vsockCid: 0, etag: agent?.etag ?? "" };
    expect((await registry.updateAgent({ agent: failed, updateMask })).agent).toMatchObject({
      status: AgentStatus.FAILED,
      vsockCid: 9,
    });
    expect(await rpcFailureOf(registry.updateAgent({ agent: failed, updateMask }))).toMatchObject({
      code: Code.Aborted,
      reason: "REVISION_CONFLICT",
    });
    const cleared = await registry.updateAgent({ agent: { id }, updateMask: { paths: ["vsock_cid"] } });
    expect(cleared.agent).toMatchObject({ status: AgentStatus.FAILED, vsockCid: 0 });
    const given = await registry.updateAgent({ agent: { id, status: AgentStatus.STOPPED } });
    expect(given.agent).toMatchObject({ status: AgentStatus.STOPPED });
    expect(
      await rpcFailureOf(registry.updateAgent({ agent: { id }, updateMask: { paths: ["etag"] } })),
    ).toMatchObject({
      code: Code.InvalidArgument,
      text: 'update_mask: "etag" can\'t be changed; status, vsock_cid and address can',
    });
    expect(
      await rpcFailureOf(registry.updateAgent({ agent: { id }, updateMask: { paths: ["status"] } })),
    ).toMatchObject({
      code: Code.InvalidArgument,
    });
    await registry.deleteAgent({ agentId: id });
    expect(await rpcFailureOf(registry.updateAgent({ agent: failed }))).toMatchObject({
      reason: "AGENT_NOT_FOUND",
    });
  });

  it("drops and makes the link of an agent as its orchestrator says, and watchers see it", async () => {
    const id = `${prefix}-status`;
    const watcher = watch(registry);
    await until("the snapshot is complete", () =>
      watcher.events.some((event) => event.case === "snapshotComplete"),
    );
    await served(id);
    await watcher.sees(id, ({ liveness }) => liveness?.configState === ConfigState.APPLIED);
    await registry.updateAgent({ agent: { id, status: AgentStatus.STOPPED } });
    await watcher.sees(
      id,
      ({ status, liveness }) => status === AgentStatus.STOPPED && liveness?.connected === false,
    );
    const message = { agentId: id, message: { content: "!echo hi" } };
    expect(await rpcFailureOf(proxy.sendMessage(message))).toMatchObject({ reason: "AGENT_NOT_RUNNING" });
    await registry.updateAgent({ agent: { id, status: AgentStatus.RUNNING } });
    await watcher.sees(id, ({ liveness }) => liveness?.connected === true);
    expect((await proxy.sendMessage(message)).content).toContain("hi");
    await watcher.stop();
  });

  it("ends a watch at the deadline of its client, as an error", async () => {
    const events: string[] = [];
    const watching = (async () => {
      for await (const { event } of registry.watchAgents({}, { timeoutMs: 1_500 }))
        events.push(event.case ?? "");
    })();
    expect(await rpcFailureOf(watching)).toMatchObject({ code: Code.DeadlineExceeded });
    expect(events).toContain("snapshotComplete");
  });

  it("tells watchers of an agent that dies, and of one that is deleted", async () => {
    const id = `${prefix}-dies`;
    const agent = await served(id);
    const watcher = watch(registry);
    const seen = await watcher.sees(id, ({ liveness }) => liveness?.connected === true);
    expect(seen).toMatchObject({
      configRevision: 1,
      liveness: { observedRevision: 1, openclaw: "ready", lastError: "" },
    });
    expect(seen.liveness?.heartbeatTime).toBeDefined();
    agent.kill();
    await watcher.sees(id, ({ liveness }) => liveness?.connected === false && liveness.lastError !== "");
    await registry.deleteAgent({ agentId: id });
    await until("its end is told", () => !watcher.agents.has(id));
    await watcher.stop();
  });

  it("keeps what the configuration was, and brings it back to a real agent", async () => {
    const id = `${prefix}-config`;
    await served(id);
    await proxy.pushConfig({ agentId: id, config: { model: "one", deep: { a: 1 } } });
    await proxy.pushConfig({
      agentId: id,
      config: { model: "two", deep: { a: 1 } },
      toolPolicy: { tools: ["x"] },
    });
    expect(await registry.rollbackConfig({ agentId: id, revision: 2, expectedRevision: 3 })).toMatchObject({
      revision: 4,
      applied: true,
      reason: "",
    });
    const { revisions } = await registry.listConfigRevisions({ agentId: id });
    expect(revisions).toMatchObject([
      {
        revision: 4,
        rollbackOf: 2,
        config: { model: "one" },
        changedPaths: ["/config/model", "/tool_policy/mode", "/tool_policy/tools"],
      },
      {
        revision: 3,
        rollbackOf: 0,
        changedPaths: ["/config/model", "/tool_policy/mode", "/tool_policy/tools"],
      },
      { revision: 2, changedPaths: ["/config/model", "/config/deep"] },
      { revision: 1, changedPaths: [] },
    ]);
    await until("the agent's verdicts are written", async () => {
      const now = await registry.listConfigRevisions({ agentId: id });
      return now.revisions.every(
        ({ outcome, outcomeTime }) => outcome === ConfigOutcome.APPLIED && outcomeTime,
      );
    });
    await becomes(
      id,
      ({ configRevision, liveness }) => configRevision === 4 && liveness?.observedRevision === 4,
    );
    expect(await rpcFailureOf(registry.rollbackConfig({ agentId: id, revision: 99 }))).toMatchObject({
      code: Code.NotFound,
      reason: "REVISION_NOT_FOUND",
    });
    expect(
      await rpcFailureOf(registry.rollbackConfig({ agentId: id, revision: 1, expectedRevision: 3 })),
    ).toMatchObject({
      reason: "REVISION_CONFLICT",
    });
  });
});

describe("a list whose items are large", () => {
  it("comes in pages that gRPC's clients take, to its end", async () => {
    // What a client takes if it says nothing else; in protobuf each of these numbers has 11 bytes.
    const transport = createGrpcTransport({ baseUrl: stack.url, readMaxBytes: 4 * 1024 * 1024 });
    const registry = createClient(AgentRegistry, transport);
    const numbers = Array.from({ length: 90_000 }, () => 1);
    const last = { revision: 0 };
    for (let n = 0; n < 8; n++) {
      Object.assign(last, await stack.proxy.pushConfig({ agentId: "demo", config: { n, numbers } }));
    }
    const revisions: number[] = [];
    let pages = 0;
    for (let pageToken = "", more = true; more; more = pageToken !== "") {
      const page = await registry.listConfigRevisions({ agentId: "demo", pageToken });
      revisions.push(...page.revisions.map(({ revision }) => revision));
      pageToken = page.nextPageToken;
      pages++;
    }
    expect(revisions).toEqual(Array.from({ length: last.revision }, (_, index) => last.revision - index));
    expect(pages).toBeGreaterThan(2);
  });
});

describe("a server that stops", () => {
  it("ends its watches, and does not wait for them", async () => {
    const flags = { server: { port: 0 }, store: { url: await testStoreUrl() } };
    const config = loadConfig({ env: {}, flags, mode: "dev" });
    const server = await startServer(
      { ...config, server: { ...config.server, drainMs: 60_000 } },
      { logger: pino({ level: "silent" }) },
    );
    afterFile(() => server.close());
    const watchers = [
      watch(createClient(AgentRegistry, createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" }))),
      watch(createClient(AgentRegistry, createGrpcTransport({ baseUrl: server.url }))),
    ];
    for (const { events } of watchers) await until("it watches", () => events.length > 0);
    const began = performance.now();
    await server.close();
    expect(performance.now() - began).toBeLessThan(10_000);
    for (const { ended } of watchers) {
      const error = await ended;
      expect(error?.code).toBe(Code.Unavailable);
      expect(error?.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "DRAINING" }]);
    }
  });
});
