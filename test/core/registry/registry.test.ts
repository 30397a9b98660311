import { encodePageToken } from "../../../src/core/registry/page-token.ts";
import { describe, expect, it } from "vitest";
import type { Caller } from "../../../src/core/types.ts";
import { openStore, type StoreLocation } from "../../../src/store/open.ts";
import { tempDir } from "../../helpers/cleanup.ts";
import { onPostgres, testStoreUrl } from "../../helpers/test-store.ts";
import { until } from "../../helpers/until.ts";
import { failureOf } from "../../link/connect.ts";
import { startGuest } from "../../link/fake-guest.ts";
import { startWorld, userOf, type World } from "../world.ts";

const ann = userOf("acme", "ann");
/** May do everything in the tenant, and name no addresses. */
const admin: Caller = { ...ann, permissions: new Set(["agents:read", "agents:write", "agents:admin"]) };

function add(world: World, id: string, more: Partial<Parameters<World["core"]["createAgent"]>[1]> = {}) {
  return world.core.createAgent(ann, { id, status: "STOPPED", vsockCid: 0, address: "", ...more });
}

describe("listing agents", () => {
  async function filled() {
    const world = await startWorld();
    for (const [index, id] of ["a1", "a2", "a3", "b1", "b2"].entries())
      await add(world, id, {
        vsockCid: index < 3 ? index + 3 : 0,
        status: index % 2 === 0 ? "STOPPED" : "FAILED",
      });
    await world.core.createAgent(userOf("other", "bob"), {
      id: "a9",
      status: "STOPPED",
      vsockCid: 0,
      address: "",
    });
    const list = (filter: string, pageToken = "", pageSize = 2) =>
      world.core.listAgents(admin, { filter, pageToken, pageSize });
    return { world, list };
  }
  const idsOf = (page: { agents: readonly { agent: { id: string } }[] }) =>
    page.agents.map(({ agent }) => agent.id);

  it("goes page by page through those that the filter holds for", async () => {
    const { list } = await filled();
    const first = await list("id = a*");
    expect(idsOf(first)).toEqual(["a1", "a2"]);
    const second = await list("id = a*", first.nextPageToken);
    expect(idsOf(second)).toEqual(["a3"]);
    expect(second.nextPageToken).toBe("");
  });

  it.each<[string, string[]]>([
    ["", ["a1", "a2", "a3", "b1", "b2"]],
    ["id != a*", ["b1", "b2"]],
    ["id = b1", ["b1"]],
    ["status = FAILED", ["a2", "b1"]],
    ["status = STOPPED AND id != a*", ["b2"]],
    ["vsock_cid = 4", ["a2"]],
    ["vsock_cid != 0 AND vsock_cid != 3", ["a2", "a3"]],
    ['address = ""', ["a1", "a2", "a3", "b1", "b2"]],
    ['id = "a_"', []],
    ["id = a-*", []],
  ])("finds by %j", async (filter, ids) => {
    const { list } = await filled();
    expect(idsOf(await list(filter, "", 0))).toEqual(ids);
  });

  it("takes a page token only for the list that it came from", async () => {
    const { list, world } = await filled();
    const { nextPageToken } = await list("id = a*");
    expect(idsOf(await list("id=a*", nextPageToken))).toEqual(["a3"]);
    for (const [filter, token] of [
      ["", nextPageToken],
      ["id = b*", nextPageToken],
      ["id = a*", `${nextPageToken}=`],
      ["id = a*", "?"],
      ["", "YTE"],
    ] as const) {
      expect(await failureOf(list(filter, token))).toMatchObject({
        reason: "INVALID_ARGUMENT",
        message: expect.stringContaining("page_token"),
      });
    }
    const revisions = world.core.listConfigRevisions(admin, {
      agentId: "a1",
      pageSize: 1,
      pageToken: nextPageToken,
    });
    expect(await failureOf(revisions)).toMatchObject({ reason: "INVALID_ARGUMENT" });
  });

  it("takes no page token that was made up of what no list has", async () => {
    const { list, world } = await filled();
    const made = {
      agents: encodePageToken("agents []", "\0"),
      revisions: encodePageToken("revisions a1", "NaN"),
    };
    const wrong = { reason: "INVALID_ARGUMENT" };
    expect(await failureOf(list("", made.agents))).toMatchObject(wrong);
    const input = { agentId: "a1", pageSize: 1, pageToken: made.revisions };
    expect(await failureOf(world.core.listConfigRevisions(admin, input))).toMatchObject(wrong);
  });

  it("tells what is seen of each", async () => {
    const world = await startWorld();
    const guest = await startGuest();
    await add(world, "up", { status: "RUNNING", address: guest.address });
    await until("it is connected", async () => (await world.core.getAgent(ann, "up")).connected);
    const page = await world.core.listAgents(ann, { filter: "", pageSize: 0, pageToken: "" });
    expect(page.agents).toMatchObject([{ connected: true, protocol: 2, agent: { id: "up" } }]);
  });
});

describe("updating an agent", () => {
  it("changes what is named, and tells the etag that is then current", async () => {
    const world = await startWorld();
    const before = await add(world, "a", { vsockCid: 7 });
    const after = await world.core.updateAgent(ann, {
      agentId: "a",
      changes: { status: "FAILED", address: "tcp://127.0.0.1:9" },
      etag: before.agent.etag,
    });
    expect(after.agent).toMatchObject({ status: "FAILED", vsockCid: 7, address: "tcp://127.0.0.1:9" });
    expect(after.agent.etag).not.toBe(before.agent.etag);
    expect((await world.core.getAgent(ann, "a")).agent).toEqual(after.agent);
    expect(world.fleet.find({ tenant: "acme", id: "a" })?.record).toEqual(after.agent);
  });

  it("is refused if it was changed meanwhile, is unknown, or has an address that is taken", async () => {
    const world = await startWorld();
    const { agent } = await add(world, "a");
    await add(world, "b", { status: "PROVISIONING", address: "tcp://127.0.0.1:9" });
    const update = (agentId: string, changes: object, etag = "") =>
      failureOf(world.core.updateAgent(ann, { agentId, changes, etag }));
    await world.core.updateAgent(ann, { agentId: "a", changes: { status: "FAILED" }, etag: agent.etag });
    expect(await update("a", { status: "STOPPED" }, agent.etag)).toMatchObject({
      reason: "REVISION_CONFLICT",
      code: "aborted",
      metadata: { agent_id: "a" },
    });
    expect(await update("a", { status: "RUNNING", address: "tcp://127.0.0.1:9" })).toMatchObject({
      reason: "ADDRESS_TAKEN",
    });
    expect(await update("a", { address: "carrier-pigeon://roof" })).toMatchObject({
      reason: "INVALID_ARGUMENT",
    });
    for (const changes of [{ status: "FAILED" }, { address: "" }]) {
      expect(await update("none", changes)).toMatchObject({ reason: "AGENT_NOT_FOUND" });
    }
    expect((await world.core.getAgent(ann, "a")).agent.status).toBe("FAILED");
  });

  it("takes the permission for addresses only if one changes", async () => {
    const world = await startWorld();
    await add(world, "a", { vsockCid: 7, address: "tcp://127.0.0.1:9" });
    const update = (changes: object) => world.core.updateAgent(admin, { agentId: "a", changes, etag: "" });
    expect(
      (await update({ status: "FAILED", vsockCid: 7, address: "tcp://127.0.0.1:9" })).agent,
    ).toMatchObject({
      status: "FAILED",
    });
    for (const changes of [
      { vsockCid: 8 },
      { vsockCid: 0 },
      { address: "" },
      { address: "tcp://127.0.0.1:10" },
    ]) {
      expect(await failureOf(update(changes))).toMatchObject({ reason: "PERMISSION_DENIED" });
    }
    expect((await world.core.getAgent(admin, "a")).agent).toMatchObject({
      vsockCid: 7,
      address: "tcp://127.0.0.1:9",
    });
  });

  it("of another tenant's agent finds none", async () => {
    const world = await startWorld();
    await add(world, "a");
    const bob = userOf("other", "bob");
    const calls = [
      () => world.core.updateAgent(bob, { agentId: "a", changes: { status: "FAILED" }, etag: "" }),
      () => world.core.getAgent(bob, "a"),
      () => world.core.deleteAgent(bob, "a"),
      () => world.core.listConfigRevisions(bob, { agentId: "a", pageSize: 0, pageToken: "" }),
    ];
    for (const call of calls) expect(await failureOf(call())).toMatchObject({ reason: "AGENT_NOT_FOUND" });
    expect((await world.core.getAgent(ann, "a")).agent.status).toBe("STOPPED");
  });
});

describe("what another process changes in the store", () => {
  it("is taken over: agents that are new, changed, and gone", async () => {
    const location: StoreLocation = onPostgres
      ? { kind: "postgres", url: await testStoreUrl() }
      : { kind: "sqlite", path: `${tempDir()}/v.db` };
    const world = await startWorld({ store: await openStore(location), refreshMs: 10 });
    const other = await openStore(location);
    const cli = { subject: "x", credential: "cli" };
    const guest = await startGuest();
    await add(world, "old", { status: "RUNNING", address: guest.address });
    await world.fleet.start();
    const key = { tenant: "acme", id: "old" };
    await until("it is connected", () => world.fleet.counts().connected === 1);

    await other.updateAgent(key, { status: "STOPPED" }, "", cli);
    await until("its link is dropped", () => world.fleet.counts().connected === 0);
    await other.updateAgent(key, { status: "RUNNING" }, "", cli);
    await until("it is connected again", () => world.fleet.counts().connected === 1);
    await other.createAgent({ tenant: "new", id: "a", status: "STOPPED", vsockCid: 0, address: "" }, cli);
    await until("the new one is served", () => world.fleet.find({ tenant: "new", id: "a" }));
    await other.deleteTenant("acme", cli);
    await until("the old one is gone", () => world.fleet.find(key) === undefined);
    expect(world.fleet.counts()).toEqual({ agents: 1, connected: 0 });
    await other.close();
  });

  it("is read at once if a client asks for it", async () => {
    const world = await startWorld();
    const cli = { subject: "x", credential: "cli" };
    await world.store.createAgent(
      { tenant: "acme", id: "a", status: "STOPPED", vsockCid: 0, address: "" },
      cli,
    );
    expect(await world.core.getAgent(ann, "a")).toMatchObject({ connected: false, configState: "unknown" });
    expect(
      (await world.core.updateAgent(ann, { agentId: "a", changes: { status: "FAILED" }, etag: "" })).agent,
    ).toMatchObject({
      status: "FAILED",
    });
    await world.core.deleteAgent(ann, "a");
    expect(await failureOf(world.core.deleteAgent(ann, "a"))).toMatchObject({ reason: "AGENT_NOT_FOUND" });
  });

  it("is served at once if a client calls it", async () => {
    const world = await startWorld();
    const guest = await startGuest();
    const agent = {
      tenant: "acme",
      id: "new",
      status: "RUNNING",
      vsockCid: 0,
      address: guest.address,
    } as const;
    await world.store.createAgent(agent, { subject: "x", credential: "cli" });
    const input = {
      agentId: "new",
      config: { a: 1 },
      policy: { mode: "all", tools: [] },
      expectedRevision: 0,
    } as const;
    expect(await world.core.pushConfig(ann, input, new AbortController().signal)).toMatchObject({
      revision: 2,
      applied: true,
    });
    expect(await world.core.status(ann, "new")).toMatchObject({ connected: true, observedRevision: 2 });
  });
});
