import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ValinorError } from "../../../src/core/errors.ts";
import { StoreError } from "../../../src/store/store.ts";
import { onPostgres, openTestStore } from "../../helpers/test-store.ts";
import { until } from "../../helpers/until.ts";
import { settle, startGuest } from "../../link/fake-guest.ts";
import { createWatcherOf, type Watcher } from "../watcher.ts";
import { startWorld, userOf, type World } from "../world.ts";

const ann = userOf("acme", "ann");

async function add(world: World, id: string, address = "", caller = ann) {
  const status = address === "" ? "STOPPED" : "RUNNING";
  return world.core.createAgent(caller, { id, status, vsockCid: 0, address });
}

const stopped = (watcher: Watcher, id: string) => watcher.sees(id, ({ agent }) => agent.status === "STOPPED");

describe("a watch", () => {
  it("tells of every agent once, and then of what changes: connections, records, ends", async () => {
    const world = await startWorld();
    const guest = await startGuest();
    await add(world, "a");
    await add(world, "b");
    const watcher = createWatcherOf(world)(ann);
    await until("the snapshot is complete", () => watcher.complete);
    expect(watcher.events.map(({ kind }) => kind)).toEqual(["agent", "agent", "snapshot_complete"]);
    expect(watcher.view.get("a")).toMatchObject({ connected: false, agent: { id: "a", status: "STOPPED" } });

    await add(world, "c", guest.address);
    await watcher.sees("c", ({ connected }) => connected);
    await guest.down();
    await watcher.sees("c", ({ connected, lastError }) => !connected && lastError !== "");
    await guest.up();
    await watcher.sees("c", ({ connected }) => connected);
    await world.core.deleteAgent(ann, "b");
    await until("the end of b is told", () => watcher.of("deleted").length > 0);
    expect([...watcher.view.keys()]).toEqual(["a", "c"]);
    await watcher.stop();
    expect(await watcher.ended).toBeUndefined();
  });

  it("of an empty tenant completes its snapshot at once", async () => {
    const watcher = createWatcherOf(await startWorld())(ann);
    await until("the snapshot is complete", () => watcher.complete);
    expect(watcher.events).toEqual([{ kind: "snapshot_complete" }]);
    await watcher.stop();
  });

  it("starts and stops the link of an agent whose status an orchestrator changes, and tells so", async () => {
    const world = await startWorld();
    const guest = await startGuest();
    await add(world, "a", guest.address);
    const watcher = createWatcherOf(world)(ann);
    await watcher.sees("a", ({ connected }) => connected);
    await world.core.updateAgent(ann, { agentId: "a", changes: { status: "STOPPED" }, etag: "" });
    await watcher.sees("a", ({ connected, agent }) => !connected && agent.status === "STOPPED");
    await world.core.updateAgent(ann, { agentId: "a", changes: { status: "RUNNING" }, etag: "" });
    await watcher.sees("a", ({ connected, agent }) => connected && agent.status === "RUNNING");
    expect(guest.sessions).toHaveLength(2);
    await watcher.stop();
  });

  it("tells the revision that was pushed, the one that the agent has, and the etag that is current", async () => {
    const world = await startWorld();
    const guest = await startGuest();
    await add(world, "a", guest.address);
    const watcher = createWatcherOf(world)(ann);
    await watcher.sees("a", ({ configState }) => configState === "applied");
    const policy = { mode: "all", tools: [] } as const;
    const push = { agentId: "a", config: { n: 1 }, policy, expectedRevision: 0 };
    await world.core.pushConfig(ann, push, new AbortController().signal);
    const record = await world.store.getAgent({ tenant: "acme", id: "a" });
    const seen = await watcher.sees(
      "a",
      (view) => view.agent.etag === record?.etag && view.observedRevision === 2,
    );
    expect(seen).toMatchObject({ configState: "applied", agent: { configRevision: 2 } });
    await watcher.stop();
  });

  it("tells nothing of another tenant's agents", async () => {
    const world = await startWorld();
    const bob = userOf("other", "bob");
    await add(world, "theirs", "", bob);
    const watcher = createWatcherOf(world)(ann);
    await until("the snapshot is complete", () => watcher.complete);
    await add(world, "new", "", bob);
    await world.core.deleteAgent(bob, "theirs");
    await add(world, "mine");
    await stopped(watcher, "mine");
    expect([...watcher.view.keys()]).toEqual(["mine"]);
    expect(watcher.of("deleted")).toEqual([]);
    await watcher.stop();
  });

  it("gathers changes of one agent that follow one another quickly", async () => {
    const world = await startWorld();
    await add(world, "a");
    const watcher = createWatcherOf(world, { gatherMs: 50 })(ann);
    await until("the snapshot is complete", () => watcher.complete);
    for (let i = 0; i < 20; i++) {
      const status = i % 2 === 0 ? "FAILED" : "STOPPED";
      await world.core.updateAgent(ann, { agentId: "a", changes: { status }, etag: "" });
    }
    const { etag } = (await world.core.getAgent(ann, "a")).agent;
    await watcher.sees("a", ({ agent }) => agent.etag === etag);
    expect(watcher.of("agent").length).toBeLessThan(15);
    await watcher.stop();
  });

  it("is told that it lives while nothing happens", async () => {
    const watcher = createWatcherOf(await startWorld(), { keepaliveMs: 20 })(ann);
    await until("two keepalives came", () => watcher.of("keepalive").length >= 2);
    await watcher.stop();
    expect(watcher.events[0]).toEqual({ kind: "snapshot_complete" });
  });

  it("needs the permission to read agents", async () => {
    const watcher = createWatcherOf(await startWorld())({ ...ann, permissions: new Set(["agents:write"]) });
    expect(await watcher.ended).toMatchObject({ reason: "PERMISSION_DENIED" });
  });
});

describe("a watcher that is slow", () => {
  it("gets a new snapshot once it takes events again", async () => {
    const world = await startWorld();
    await add(world, "gone");
    const watcher = createWatcherOf(world, { changes: 5 })(ann);
    await until("the snapshot is complete", () => watcher.complete);
    watcher.pause();
    for (let i = 0; i < 10; i++) await add(world, `a${i}`);
    await world.core.deleteAgent(ann, "gone");
    await settle();
    watcher.goOn();
    await until("a new snapshot is complete", () => watcher.complete && watcher.view.size === 10);
    expect(watcher.of("resync")).toEqual([
      { kind: "resync", reason: "the watcher is too slow for the changes that came" },
    ]);
    expect(watcher.of("deleted")).toEqual([]);
    await watcher.stop();
  });
});

describe("a watch ends", () => {
  it("once the credential has expired, and not before somebody can tell", async () => {
    let rechecks = 0;
    const recheck = async () => {
      rechecks++;
      if (rechecks < 3) throw new ValinorError("STORE_UNAVAILABLE", "nobody can tell");
      if (rechecks > 4) throw new ValinorError("UNAUTHENTICATED", "the key was revoked");
    };
    const watcher = createWatcherOf(await startWorld(), { recheckMs: 10 })({ ...ann, recheck });
    expect(await watcher.ended).toMatchObject({ reason: "UNAUTHENTICATED" });
    expect(rechecks).toBe(5);
    expect(watcher.complete).toBe(true);
  });

  it("when the server stops", async () => {
    const world = await startWorld();
    const watcher = createWatcherOf(world)(ann);
    await until("the snapshot is complete", () => watcher.complete);
    world.lifecycle.enter("draining");
    expect(await watcher.ended).toMatchObject({ reason: "DRAINING" });
  });

  it("one credential can't have all of its tenant's watchers", async () => {
    const watch = createWatcherOf(await startWorld(), { tenant: 3, credential: 2 });
    const watchers = [watch(ann), watch(ann)];
    for (const watcher of watchers) await until("it watches", () => watcher.complete);
    expect(await watch(ann).ended).toMatchObject({
      reason: "LIMIT_EXCEEDED",
      message: expect.stringContaining("credential"),
    });
    const other = watch({ ...ann, credential: "key:other" });
    await until("it watches", () => other.complete);
    for (const watcher of [other, ...watchers]) await watcher.stop();
  });

  it("and so makes room for another: there are only so many", async () => {
    const world = await startWorld();
    const watch = createWatcherOf(world, { all: 3, tenant: 2 });
    const watchers = [watch(ann), watch(ann)];
    for (const watcher of watchers) await until("it watches", () => watcher.complete);
    expect(await watch(ann).ended).toMatchObject({
      reason: "LIMIT_EXCEEDED",
      message: expect.stringContaining("tenant"),
    });
    const other = watch(userOf("other", "bob"));
    await until("it watches", () => other.complete);
    expect(await watch(userOf("third", "eve")).ended).toMatchObject({
      reason: "LIMIT_EXCEEDED",
      message: expect.stringContaining("server"),
    });
    await watchers[0]?.stop();
    const again = watch(ann);
    await until("there is room", () => again.complete);
    for (const watcher of [again, other, ...watchers]) await watcher.stop();
  });
});

describe("while the store fails", () => {
  async function breakable() {
    const real = await openTestStore();
    const state = { broken: false };
    const fail = () => Promise.reject(new StoreError("unavailable", "the test broke it"));
    const store = new Proxy(real, {
      get(target, name, receiver) {
        const value: unknown = Reflect.get(target, name, receiver);
        return state.broken && typeof value === "function" && name !== "close" ? fail : value;
      },
    });
    return { real, state, world: await startWorld({ store, refreshMs: 10 }) };
  }

  it("no watch begins", async () => {
    const { state, world } = await breakable();
    state.broken = true;
    expect(await createWatcherOf(world)(ann).ended).toMatchObject({ reason: "STORE_UNAVAILABLE" });
  });

  it("a watch goes on, and gets a new snapshot afterwards", async () => {
    const { state, real, world } = await breakable();
    const guest = await startGuest();
    await world.fleet.start();
    await add(world, "a", guest.address);
    const watcher = createWatcherOf(world)(ann);
    await watcher.sees("a", ({ connected }) => connected);
    state.broken = true;
    await real.createAgent(
      { tenant: "acme", id: "b", status: "STOPPED", vsockCid: 0, address: "" },
      { subject: "x", credential: "cli" },
    );
    await guest.down();
    await watcher.sees("a", ({ connected }) => !connected);
    await settle();
    expect(watcher.of("resync")).toEqual([]);
    state.broken = false;
    await stopped(watcher, "b");
    await until("all is told again", () => watcher.complete && watcher.of("resync").length > 0);
    expect(watcher.of("resync")).toEqual([
      { kind: "resync", reason: "the store did not answer for a while" },
    ]);
    expect([...watcher.view.keys()]).toEqual(["a", "b"]);
    await watcher.stop();
  });
});

describe("what watchers see in the end", () => {
  const ids = fc.constantFrom("a", "b", "c", "d", "e", "f");
  const step = fc.oneof(
    fc.record({ do: fc.constantFrom("create", "delete", "elsewhere", "goneElsewhere", "watch"), id: ids }),
    fc.record({ do: fc.constantFrom("stop", "fail", "failElsewhere"), id: ids }),
  );

  it("is what the store has, whoever changed it and whenever they came", async () => {
    const cli = { subject: "x", credential: "cli" };
    const result = await fc.check(
      fc.asyncProperty(
        fc.array(fc.tuple(step, fc.boolean()), { minLength: 5, maxLength: 40 }),
        async (steps) => {
          const store = await openTestStore();
          const world = await startWorld({ store, refreshMs: 3 });
          await world.fleet.start();
          const watch = createWatcherOf(world, { gatherMs: 2, changes: 3 });
          const watchers = [watch(ann)];
          const change = (id: string, status: "STOPPED" | "FAILED") =>
            world.core.updateAgent(ann, { agentId: id, changes: { status }, etag: "" });
          const actions: Record<string, (id: string) => Promise<unknown>> = {
            create: (id) => add(world, id),
            delete: (id) => world.core.deleteAgent(ann, id),
            elsewhere: (id) =>
              store.createAgent({ tenant: "acme", id, status: "STOPPED", vsockCid: 0, address: "" }, cli),
            goneElsewhere: (id) => store.deleteAgent({ tenant: "acme", id }, cli),
            watch: async () => watchers.push(watch(ann)),
            stop: (id) => change(id, "STOPPED"),
            fail: (id) => change(id, "FAILED"),
            failElsewhere: (id) => store.updateAgent({ tenant: "acme", id }, { status: "FAILED" }, "", cli),
          };
          for (const [{ do: what, id }, wait] of steps) {
            // An agent that is there already, or is not: the store says so, and nothing changes.
            const done = actions[what]?.(id).catch(() => {});
            if (wait) await done;
          }
          const agents = async () =>
            (await store.listAgents("acme", { afterId: "", limit: 100 })).map(
              ({ id, etag }) => `${id} ${etag}`,
            );
          for (const watcher of watchers) {
            await until("the watcher sees what the store has", async () => {
              const seen = [...watcher.view.values()].map(({ agent }) => `${agent.id} ${agent.etag}`);
              return watcher.complete && seen.toSorted().join() === (await agents()).join();
            });
          }
          for (const watcher of watchers) await watcher.stop();
          world.fleet.close();
        },
      ),
      { numRuns: onPostgres ? 5 : 25 },
    );
    expect(result.failed ? fc.defaultReportMessage(result) : "").toBe("");
  });
});
