import { describe, expect, it } from "vitest";
import { createFleet } from "../../src/agents/fleet.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import type { ContextRecord, Store } from "../../src/store/store.ts";
import { parseAddress } from "../../src/transport/address.ts";
import { dial } from "../../src/transport/dial.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { failureOf, forever } from "../link/connect.ts";
import { type Behaviour, type Guest, settle, startGuest, until } from "../link/fake-guest.ts";

async function start(agents: { [id: string]: string }, configMs = 100, wrap = (store: Store) => store) {
  const real = await openSqliteStore(":memory:");
  for (const [id, address] of Object.entries(agents))
    await real.createAgent({ tenant: "t", id, status: "RUNNING", vsockCid: 0, address }, "test");
  const links: string[] = [];
  const fleet = createFleet({
    store: wrap(real),
    dial,
    addressOf: ({ address }) => (address === "" ? undefined : parseAddress(address)),
    token: "",
    pingMs: 3_000,
    configMs,
    messageMs: 5_000,
    onLink: (key, up, detail) => links.push(`${key.id} ${up ? "up" : "down"}: ${detail}`),
  });
  afterFile(async () => {
    fleet.close();
    await real.close();
  });
  await fleet.start();
  const find = (id: string) => {
    const handle = fleet.find({ tenant: "t", id });
    if (handle === undefined) throw new Error(`there is no ${id}`);
    return handle;
  };
  return { store: real, fleet, links, find };
}

const entry = (key: string): ContextRecord => ({
  key,
  payload: { context: "x", key },
  updateTime: new Date(),
});
const typesOf = (guest: Guest, session: number) =>
  guest.sessions[session - 1]?.received.map(({ type }) => type);

describe("a fleet", () => {
  it("serves every agent, though one has an address that nobody understands", async () => {
    const guest = await startGuest();
    const { fleet, find } = await start({ good: guest.address, none: "", odd: "carrier-pigeon://roof" });
    await find("good").admit(false, forever);
    expect(fleet.counts()).toEqual({ agents: 3, connected: 1 });
    expect(await failureOf(find("none").admit(false, forever))).toMatchObject({ code: "unassigned" });
    expect(await failureOf(find("odd").admit(false, forever))).toMatchObject({
      code: "unassigned",
      message: expect.stringContaining("carrier-pigeon"),
    });
  });

  it("tells of a link once for each change, not for each attempt", async () => {
    const guest = await startGuest();
    const { links, find, fleet } = await start({ a: guest.address });
    await find("a").admit(false, forever);
    await guest.down();
    await until("the loss is seen", () => fleet.counts().connected === 0);
    await failureOf(find("a").reach(AbortSignal.timeout(700)));
    await guest.up();
    await find("a").admit(false, forever);
    expect(links[0]).toBe("a up: protocol 2");
    expect(links.at(-1)).toBe("a up: protocol 2");
    expect(links.length).toBeLessThanOrEqual(5);
  });

  it("lets an agent go that was removed, with its link", async () => {
    const guest = await startGuest();
    const { fleet, find } = await start({ a: guest.address });
    await find("a").admit(false, forever);
    fleet.remove({ tenant: "t", id: "a" });
    await guest.sessions[0]?.closed;
    expect(fleet.find({ tenant: "t", id: "a" })).toBeUndefined();
    expect(fleet.counts()).toEqual({ agents: 0, connected: 0 });
  });
});

describe("convergence", () => {
  const behaviour = (on: Behaviour["on"]): Partial<Behaviour> => ({ on });

  it("goes before pushes that wait, and is never refused for their number", async () => {
    const guest = await startGuest();
    const { find, store } = await start({ a: guest.address });
    const handle = find("a");
    await handle.admit(false, forever);
    guest.on = { config_update: "keep" };
    const policy = { mode: "all", tools: [] } as const;
    const next = { config: { n: 1 }, policy, author: "test", expectedRevision: 0 };
    const verdict = handle.configStored(await store.putConfig({ tenant: "t", id: "a" }, next));
    const pushes = Array.from({ length: 300 }, (_, i) => handle.contextStored(entry(`k${i}`)));
    expect(await pushes[299]).toMatchObject({
      applied: false,
      reason: "too many pushes wait for this agent",
    });
    expect(await verdict).toMatchObject({ applied: false, refused: false });
    guest.on = {};
    await until("it is settled", () => handle.convergence.state.kind === "applied");
    expect(guest.revision).toBe(2);
    expect(await pushes[0]).toMatchObject({ applied: true });
    expect(typesOf(guest, 1)?.slice(1, 5)).toEqual([
      "config_update",
      "config_update",
      "config_update",
      "context_update",
    ]);
  });

  it("tries again until the guest answers, and never in a tight loop", async () => {
    let pushes = 0;
    const guest = await startGuest(behaviour({ config_update: () => void pushes++ }));
    const { find } = await start({ a: guest.address }, 50);
    const handle = find("a");
    expect(await failureOf(handle.admit(false, forever))).toMatchObject({ code: "config_pending" });
    await until("it was pushed often", () => pushes > 3);
    expect(pushes).toBeLessThan(20);
    guest.on = {};
    await until("it is settled", () => handle.convergence.state.kind === "applied");
    expect(handle.convergence.observedRevision).toBe(1);
  });

  it("says that the store is away, in no words of the store, and goes on once it is back", async () => {
    const guest = await startGuest();
    let broken = true;
    const { find } = await start({ a: guest.address }, 100, (store) => ({
      ...store,
      currentConfig: (key) =>
        broken ? Promise.reject(new Error("/secret/path is locked")) : store.currentConfig(key),
    }));
    const error = await failureOf(find("a").admit(false, forever));
    expect(error).toMatchObject({ code: "config_pending" });
    expect(String(error)).not.toContain("secret");
    broken = false;
    await until("it is settled", () => find("a").convergence.state.kind === "applied");
  });

  it("pushes a refused revision once for each link, not for each heartbeat", async () => {
    let pushes = 0;
    const guest = await startGuest(
      behaviour({
        config_update(session, { id }) {
          pushes++;
          session.send("config_ack", id, { applied: false, reason: "no" });
        },
      }),
    );
    const { find } = await start({ a: guest.address });
    expect(await failureOf(find("a").admit(false, forever))).toMatchObject({
      code: "config_refused",
      message: "revision 1 is not in force: the agent refused it: no",
    });
    for (let i = 0; i < 3; i++) guest.sessions[0]?.heartbeat();
    await settle();
    expect(pushes).toBe(1);
    guest.sessions[0]?.socket.destroy();
    await until("it was pushed to the next link", () => pushes === 2);
  });

  it("keeps no memory of tries on a link that stays", async () => {
    const guest = await startGuest(behaviour({ config_update: () => {} }));
    const { find } = await start({ a: guest.address }, 20);
    const connection = await find("a").reach(forever);
    let reactions = 0;
    const { closed } = connection;
    const then = closed.then.bind(closed);
    // oxlint-disable-next-line unicorn/no-thenable, no-floating-promises -- who holds on to it can be seen nowhere else
    Object.defineProperty(closed, "then", {
      value: (...args: Parameters<typeof then>) => {
        reactions++;
        return then(...args);
      },
    });
    await until("it was tried often", () => (typesOf(guest, 1)?.length ?? 0) > 4);
    expect(reactions).toBe(0);
  });
});
