import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import { expect, test } from "vitest";
import { AgentProxy, type PushConfigResponse } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { ConfigState, ToolPolicy_Mode } from "../../gen/ts/valinor/v1/types_pb.ts";
import { loadConfig } from "../../src/config.ts";
import { startServer, type ValinorServer } from "../../src/server.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import { configDigest } from "../../protocol/wire/digest.ts";
import { filesIn, findCanary, makeCanary } from "../helpers/canary.ts";
import { afterFile, tempDir } from "../helpers/cleanup.ts";
import { rpcFailureOf } from "../helpers/failures.ts";
import { startModel } from "../helpers/model.ts";
import { until } from "../helpers/until.ts";
import { type Guest, startGuest } from "../link/fake-guest.ts";
import { startTestAgent } from "./stack.ts";

const ALL = { mode: ToolPolicy_Mode.ALL };
const [oldKey, newKey] = [randomBytes(32), randomBytes(32)] as const;

/** A store in a folder, servers that come and go on it, and all that they log. */
function startHost() {
  const folder = tempDir();
  const path = join(folder, "valinor.db");
  const log: string[] = [];
  const logger = pino({ level: "trace" }, { write: (line: string) => void log.push(line) });
  let server: ValinorServer | undefined;
  afterFile(() => server?.close());

  async function start(keys: readonly Buffer[]) {
    await server?.close();
    const flags = { server: { port: 0 }, store: { url: `sqlite:${path}` }, proxy: { config_timeout: 2 } };
    const config = loadConfig({ env: {}, flags, mode: "dev" });
    const settings = { ...config, secretKeys: keys, server: { ...config.server, drainMs: 0 } };
    server = await startServer(settings, { logger });
    const transport = createConnectTransport({ baseUrl: server.url, httpVersion: "1.1" });
    const proxy = createClient(AgentProxy, transport);
    const registry = createClient(AgentRegistry, transport);
    return {
      proxy,
      registry,
      reload: (next: readonly Buffer[]) => server?.reload({ ...settings, secretKeys: next }),
      push: (config: JsonObject, agentId = "a"): Promise<PushConfigResponse> =>
        proxy.pushConfig({ agentId, config, toolPolicy: ALL }),
      revisions: async () => (await registry.listConfigRevisions({ agentId: "a" })).revisions,
      /** The agent's status once it is in that state. */
      state: (state: ConfigState) =>
        until(`the agent's configuration is in state ${state}`, async () => {
          const status = await proxy.getAgentStatus({ agentId: "a" });
          return status.configState === state ? status : undefined;
        }),
    };
  }

  return {
    start,
    stop: async () => server?.close(),
    /** All that could tell a secret to somebody who has the machine's disk, and not the key. */
    async written(): Promise<Record<string, Buffer | string>> {
      const store = await openSqliteStore(path);
      const audit = JSON.stringify(await store.listAudit({ after: 0, limit: 1_000 }));
      await store.close();
      return { ...filesIn(folder), log: log.join(""), audit };
    },
  };
}

/** The configuration that a guest got last. */
function lastConfig(guest: Guest): unknown {
  const frames = guest.sessions.flatMap(({ received }) => received);
  return frames.findLast(({ type }) => type === "config_update")?.payload["config"];
}

test("a secret reaches the guest in the open, and is readable nowhere else", async () => {
  const secret = makeCanary("secret");
  const host = startHost();
  const guest = await startGuest();
  const { registry, push, revisions, proxy } = await host.start([oldKey]);
  await registry.createAgent({ agent: { id: "a", address: guest.address } });
  const config = { model: "m", keys: [{ name: "mail", value: `secret:${secret}` }] };
  expect(await push(config)).toMatchObject({ revision: 2, applied: true });
  expect(lastConfig(guest)).toEqual({ model: "m", keys: [{ name: "mail", value: secret }] });

  const shown = { model: "m", keys: [{ name: "mail", value: "secret:[redacted]" }] };
  const [latest] = await revisions();
  expect(latest?.config).toEqual(shown);
  const digestOfOpen = configDigest(lastConfig(guest), { mode: "all", tools: [] });
  expect(latest?.sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(latest?.sha256).not.toBe(digestOfOpen);
  const reads = {
    agent: await registry.getAgent({ agentId: "a" }),
    agents: await registry.listAgents({}),
    revisions: await registry.listConfigRevisions({ agentId: "a" }),
    status: await proxy.getAgentStatus({ agentId: "a" }),
  };
  const answers = JSON.stringify(reads, (_key, value: unknown) =>
    typeof value === "bigint" ? `${value}` : value,
  );
  await host.stop();
  const written = { ...(await host.written()), answers };
  expect(findCanary(secret, written)).toEqual([]);
  // Who has the database must not be able to try secrets until their digest fits.
  expect(Object.entries(written).filter(([, content]) => content.includes(digestOfOpen))).toEqual([]);
});

test("a real agent works with the secret of its configuration", async () => {
  const secret = makeCanary("prompt");
  const host = startHost();
  const model = await startModel({ record: 10 });
  const { registry, push, proxy } = await host.start([oldKey]);
  const agent = await startTestAgent("a", model.url);
  await registry.createAgent({ agent: { id: "a", address: agent.address } });
  expect(await push({ system_prompt: `secret:Be brief. ${secret}` })).toMatchObject({ applied: true });
  await proxy.sendMessage({ agentId: "a", message: { role: "user", content: "hello" } });
  expect(model.requests.at(-1)?.messages).toContainEqual({ role: "system", text: `Be brief. ${secret}` });
  await host.stop();
  expect(findCanary(secret, await host.written())).toEqual([]);
});

test("secret:[redacted] keeps a secret, and what is rolled back has its own again", async () => {
  const host = startHost();
  const guest = await startGuest();
  const { registry, push, revisions, proxy } = await host.start([oldKey]);
  await registry.createAgent({ agent: { id: "a", address: guest.address } });
  await push({ model: "m1", key: "secret:one" });
  const shown = (await revisions())[0]?.config ?? {};
  expect(await push({ ...shown, model: "m2" })).toMatchObject({ applied: true });
  expect(lastConfig(guest)).toEqual({ model: "m2", key: "one" });
  await push({ model: "m2", key: "secret:two" });
  expect(lastConfig(guest)).toEqual({ model: "m2", key: "two" });

  const rolledBack = await registry.rollbackConfig({ agentId: "a", revision: 2 });
  expect(rolledBack).toMatchObject({ applied: true });
  expect(lastConfig(guest)).toEqual({ model: "m1", key: "one" });

  const failure = await rpcFailureOf(
    proxy.pushConfig({ agentId: "a", config: { other: "secret:[redacted]" }, toolPolicy: ALL }),
  );
  expect(failure.code).toBe(Code.InvalidArgument);
  expect(failure.text).toContain('"/other"');
  expect((await rpcFailureOf(push({ key: "secret:" }))).code).toBe(Code.InvalidArgument);
  expect(lastConfig(guest)).toEqual({ model: "m1", key: "one" });
});

test("a server without keys refuses secrets, and says which setting to set", async () => {
  const host = startHost();
  const guest = await startGuest();
  const { registry, push } = await host.start([]);
  await registry.createAgent({ agent: { id: "a", address: guest.address } });
  const failure = await rpcFailureOf(push({ key: "secret:hidden" }));
  expect(failure.text).toMatch(/secrets\.key_file or VALINOR_SECRETS_KEY/);
  expect(await push({ model: "m" })).toMatchObject({ revision: 2, applied: true });
});

test("a server that lost its key leaves the agent pending, and loses nothing", async () => {
  const host = startHost();
  const guest = await startGuest();
  let { registry, push, state } = await host.start([oldKey]);
  await registry.createAgent({ agent: { id: "a", address: guest.address } });
  await push({ key: "secret:one" });

  // The guest begins anew as well: it needs its configuration.
  Object.assign(guest, { revision: 0, sha256: "", bootId: "boot-2" });
  ({ state, registry } = await host.start([]));
  await until("the reason names the settings", async () => {
    const { configReason, desiredRevision } = await state(ConfigState.PENDING);
    return desiredRevision === 2 && /secrets\.key_file or VALINOR_SECRETS_KEY/.test(configReason);
  });
  expect((await registry.listConfigRevisions({ agentId: "a" })).revisions[0]?.config).toEqual({
    key: "secret:[redacted]",
  });

  Object.assign(guest, { bootId: "boot-3" });
  ({ state } = await host.start([oldKey]));
  await state(ConfigState.APPLIED);
  expect(lastConfig(guest)).toEqual({ key: "one" });
});

test("a key that a reload brings back puts the agent's configuration in force, and needs no restart", async () => {
  const host = startHost();
  const guest = await startGuest();
  const { registry, push } = await host.start([oldKey]);
  await registry.createAgent({ agent: { id: "a", address: guest.address } });
  await push({ key: "secret:one" });
  Object.assign(guest, { revision: 0, sha256: "", bootId: "boot-2" });
  const { state, reload } = await host.start([]);
  await state(ConfigState.PENDING);
  expect(await reload([oldKey])).toEqual({ changed: ["secrets"], needRestart: [] });
  await state(ConfigState.APPLIED);
  expect(lastConfig(guest)).toEqual({ key: "one" });
});

test("keys change without a break: the new one seals, the old one opens until it is needed no more", async () => {
  const host = startHost();
  const guest = await startGuest();
  let { registry, push, state, revisions } = await host.start([oldKey]);
  await registry.createAgent({ agent: { id: "a", address: guest.address } });
  await push({ key: "secret:one" });

  Object.assign(guest, { revision: 0, sha256: "", bootId: "boot-2" });
  ({ registry, state, push, revisions } = await host.start([newKey, oldKey]));
  await state(ConfigState.APPLIED);
  expect(lastConfig(guest)).toEqual({ key: "one" });
  // Whether it is pushed back or rolled back, that seals it with the new key.
  await push((await revisions())[0]?.config ?? {});
  await registry.rollbackConfig({ agentId: "a", revision: 2 });

  Object.assign(guest, { revision: 0, sha256: "", bootId: "boot-3" });
  ({ state, registry } = await host.start([newKey]));
  await state(ConfigState.APPLIED);
  expect(lastConfig(guest)).toEqual({ key: "one" });
  expect(await registry.rollbackConfig({ agentId: "a", revision: 3 })).toMatchObject({ applied: true });
  // The revision that the old key sealed is there, and can't be brought back without it.
  expect((await rpcFailureOf(registry.rollbackConfig({ agentId: "a", revision: 2 }))).text).toMatch(/key/);
});

test("a guest that refuses a configuration and quotes its secrets tells them to nobody", async () => {
  const secret = makeCanary("quoted");
  const host = startHost();
  const guest = await startGuest({
    on: {
      config_update(session, { id, payload }) {
        const reason = `bad key ${JSON.stringify(payload["config"])}`;
        session.send("config_ack", id, { applied: false, reason, revision: 0, sha256: "" });
      },
    },
  });
  const { registry, push, state } = await host.start([oldKey]);
  await registry.createAgent({ agent: { id: "a", address: guest.address } });
  const { applied, reason } = await push({ long: "x".repeat(400), key: `secret:${secret}`, z: 1 });
  expect({ applied, reason }).toEqual({ applied: false, reason: expect.stringContaining("[redacted]") });
  expect((await state(ConfigState.REFUSED)).configReason).toContain("[redacted]");
  await host.stop();
  expect(findCanary(secret, { ...(await host.written()), reason })).toEqual([]);
});

test("an entry taken out of a list takes its secret along, and another's place holder is not filled with it", async () => {
  const host = startHost();
  const guest = await startGuest();
  const { registry, push, revisions } = await host.start([oldKey]);
  await registry.createAgent({ agent: { id: "a", address: guest.address } });
  const servers = [
    { name: "alpha", key: "secret:A" },
    { name: "bravo", key: "secret:B" },
  ];
  await push({ servers, texts: ["secret:one", "secret:two"] });
  const shown = (await revisions())[0]?.config as { servers: JsonObject[]; texts: string[] };
  const [, bravo] = shown.servers;
  expect(await push({ ...shown, servers: [bravo ?? {}] })).toMatchObject({ applied: true });
  expect(lastConfig(guest)).toEqual({ servers: [{ name: "bravo", key: "B" }], texts: ["one", "two"] });

  const failure = await rpcFailureOf(push({ servers: [{ ...bravo, name: "carol" }] }));
  expect(failure.code).toBe(Code.InvalidArgument);
  expect(failure.text).toContain('"/servers/0/key"');
  expect((await rpcFailureOf(push({ texts: shown.texts.slice(1) }))).text).toContain('"/texts/0"');
});
