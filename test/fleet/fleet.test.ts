import { describe, expect, it } from "vitest";
import { failureOf, forever } from "../link/connect.ts";
import { startGuest, until } from "../link/fake-guest.ts";
import { configDigest } from "../../protocol/wire/digest.ts";
import { a, all, by, payloadsOf, start } from "./start.ts";

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

describe("an agent that another process deleted and created again", () => {
  it("is read again, and its guest gets the configuration of the new one", async () => {
    const guest = await startGuest();
    const { fleet, find, push, tell, store } = await start({ a: guest.address });
    await push({ n: 1 });
    await tell("k", "of the agent before");
    await store.deleteAgent(a, by);
    const again = { ...a, status: "RUNNING", vsockCid: 0, address: guest.address } as const;
    fleet.update(await store.createAgent(again, by));
    expect(find().record.configRevision).toBe(1);
    expect(find().convergence.state.kind).toBe("pending");
    await find().admit(false, forever);
    expect(guest).toMatchObject({ revision: 3, sha256: configDigest({}, all) });
    expect(payloadsOf(guest, "context_update").at(-1)).toEqual({ context: "", key: "k" });
    // The record in use has the revision and the etag that the store has.
    await until("the record is read again", () => find().record.configRevision === 3);
    const stored = await store.getAgent(a);
    await until("the etag is the store's", () => find().record.etag === stored?.etag);
  });
});

describe("an agent's record that changes", () => {
  it("has no link while it is stopped, and one again when it runs", async () => {
    const guest = await startGuest();
    const { fleet, find, store } = await start({ a: guest.address });
    await find().admit(false, forever);
    fleet.update(await store.updateAgent(a, { status: "STOPPED" }, "", by));
    await guest.sessions[0]?.closed;
    expect(find().link).toBeUndefined();
    expect(find().convergence.state).toMatchObject({ kind: "pending", reason: "the agent is away" });
    expect(await failureOf(find().admit(false, forever))).toMatchObject({ code: "not_running" });
    fleet.update(await store.updateAgent(a, { status: "RUNNING" }, "", by));
    await find().admit(false, forever);
    expect(guest.sessions).toHaveLength(2);
  });

  it("is reached where its new address says, with its configuration, and left if it was", async () => {
    const [old, next] = [await startGuest(), await startGuest({ bootId: "boot-2" })];
    const { fleet, find, store, push, links } = await start({ a: old.address });
    await push({ n: 1 });
    fleet.update(await store.updateAgent(a, { address: next.address }, "", by));
    expect(find().convergence.state.kind).toBe("pending");
    const connection = await find().admit(false, forever);
    await old.sessions[0]?.closed;
    expect(connection.bootId).toBe("boot-2");
    expect(next.revision).toBe(2);
    expect(links).toEqual(["a up: protocol 2", "a down: the agent's record has changed", "a up: protocol 2"]);
  });

  it("keeps its link if neither status nor address is another one", async () => {
    const guest = await startGuest();
    const { fleet, find, store } = await start({ a: guest.address });
    const connection = await find().admit(false, forever);
    const record = await store.updateAgent(a, { vsockCid: 7 }, "", by);
    fleet.update(record);
    expect(find().link?.current).toBe(connection);
    expect(find().record).toEqual(record);
  });

  it("tells of an address that nobody understands, and lives with the next", async () => {
    const guest = await startGuest();
    const { fleet, find, store } = await start({ a: guest.address });
    await find().admit(false, forever);
    fleet.update(await store.updateAgent(a, { address: "carrier-pigeon://roof" }, "", by));
    expect(await failureOf(find().admit(false, forever))).toMatchObject({
      code: "unassigned",
      message: expect.stringContaining("carrier-pigeon"),
    });
    fleet.update(await store.updateAgent(a, { address: guest.address }, "", by));
    await find().admit(false, forever);
  });
});
