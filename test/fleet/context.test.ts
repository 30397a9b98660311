import { describe, expect, it } from "vitest";
import { failureOf, forever } from "../link/connect.ts";
import { settle, startGuest, until } from "../link/fake-guest.ts";
import { a, by, contextGuest, payloadsOf, start } from "./start.ts";

describe("the context of a guest that tells its digest", () => {
  it("is brought to what is to be there, what was removed while it was away included", async () => {
    const { guest, texts } = await contextGuest();
    const { find, tell, store } = await start({ a: guest.address });
    for (const key of ["one", "two", "three"])
      expect(await tell(key, `text ${key}`)).toMatchObject({ applied: true });
    await guest.down();
    await until("the loss is seen", () => find().link?.current === undefined);
    await store.putContext(a, { key: "two", payload: { context: "" } }, by);
    await store.putContext(a, { key: "four", payload: { context: "text four", key: "four" } }, by);
    await guest.up();
    await find().admit(false, forever);
    expect(texts()).toEqual(["text four", "text one", "text three"]);
  });

  it("is emptied if nothing is to be there", async () => {
    const { guest, state, texts } = await contextGuest();
    state.context.update({ context: "of another life", key: "old" });
    const { find } = await start({ a: guest.address });
    await find().admit(false, forever);
    expect(texts()).toEqual([]);
    expect(payloadsOf(guest, "context_update")).toEqual([{ context: "", key: "", replace: true }]);
  });

  it("is not pushed again on another link if it is there already", async () => {
    const { guest } = await contextGuest();
    const { find, tell } = await start({ a: guest.address });
    await tell("k", "x");
    const before = payloadsOf(guest, "context_update").length;
    guest.sessions[0]?.socket.destroy();
    await guest.session(2);
    await find().admit(false, forever);
    expect(payloadsOf(guest, "context_update")).toHaveLength(before);
  });

  it("is pushed again if a heartbeat tells another digest, before the next message", async () => {
    const { guest, state, heartbeat, texts } = await contextGuest();
    const { find, tell } = await start({ a: guest.address }, { configMs: 2_000 });
    await tell("k", "x");
    state.context.update({ context: "", key: "k" });
    state.context.update({ context: "y", key: "other" });
    if (guest.sessions[0] !== undefined) heartbeat(guest.sessions[0]);
    await until("it is noticed", () => payloadsOf(guest, "context_update").length > 1);
    await find().admit(false, forever);
    expect(texts()).toEqual(["x"]);
  });

  it("gets one frame for one change, and none of the link's own fields from a client", async () => {
    const { guest } = await contextGuest();
    const { find, store, tell } = await start({ a: guest.address });
    await tell("one", "x");
    await tell("two", "x");
    const before = payloadsOf(guest, "context_update").length;
    const payload = { context: "y", key: "one", replace: true, keys: [], mine: 1 };
    await find().contextStored(await store.putContext(a, { key: "one", payload }, by));
    expect(payloadsOf(guest, "context_update").slice(before)).toEqual([
      { context: "y", key: "one", mine: 1 },
    ]);
  });

  it("that it never gets right is pushed less and less often, and stays pending", async () => {
    const { guest } = await contextGuest({
      on: {
        hello: (session) => session.heartbeat({ context_sha256: "0".repeat(64) }),
        context_update: (session, { id }) =>
          session.send("config_ack", id, { applied: true, context_sha256: "0".repeat(64) }),
      },
    });
    const { find } = await start({ a: guest.address }, { configMs: 300 });
    expect(await failureOf(find().admit(false, forever))).toMatchObject({
      code: "config_pending",
      message: expect.stringContaining("the agent has another context than was pushed"),
    });
    expect(payloadsOf(guest, "context_update").length).toBeLessThan(3);
  });
});

describe("an entry that the guest refuses", () => {
  it("on connecting stays pending with its reason, keeps no other from being pushed, and is tried anew when it changes", async () => {
    const { guest, texts } = await contextGuest({}, (key, text) =>
      text === "bad" ? `no ${key}` : undefined,
    );
    const { find, store, tell } = await start({ a: guest.address, b: "" }, { configMs: 200 });
    for (const [key, context] of [
      ["one", "bad"],
      ["two", "good"],
    ] as const)
      await store.putContext(a, { key, payload: { context, key } }, by);
    find().contextsChanged();
    expect(await failureOf(find().admit(false, forever))).toMatchObject({
      code: "config_pending",
      message: expect.stringContaining('context entry "one": the agent refused it: no one'),
    });
    expect(texts()).toEqual(["good"]);
    const pushes = payloadsOf(guest, "context_update").length;
    for (let i = 0; i < 3; i++) guest.sessions[0]?.heartbeat();
    guest.sessions[0]?.socket.destroy();
    await guest.session(2);
    await settle();
    expect(payloadsOf(guest, "context_update").slice(pushes)).toEqual([]);
    expect(await tell("one", "better")).toMatchObject({ applied: true });
    await find().admit(false, forever);
    expect(texts()).toEqual(["better", "good"]);
  });

  it("is tried again by another boot", async () => {
    let refusals = 0;
    const { guest, state } = await contextGuest({}, (_key, text) =>
      text === "bad" && guest.bootId === "boot-1" && ++refusals > 0 ? "no" : undefined,
    );
    const { find, store } = await start({ a: guest.address });
    await store.putContext(a, { key: "k", payload: { context: "bad", key: "k" } }, by);
    find().contextsChanged();
    await until("it was refused", () => refusals === 1);
    guest.bootId = "boot-2";
    guest.sessions[0]?.socket.destroy();
    await guest.session(2);
    await find().admit(false, forever);
    expect(state.context.texts()).toEqual(["bad"]);
  });
});

describe("the context of a guest that tells no digest", () => {
  it("is pushed whole on every link, without the fields that it does not know", async () => {
    const guest = await startGuest();
    const { find, tell } = await start({ a: guest.address });
    await tell("one", "x");
    await tell("two", "y");
    const before = payloadsOf(guest, "context_update").length;
    guest.sessions[0]?.socket.destroy();
    await guest.session(2);
    await find().admit(false, forever);
    expect(payloadsOf(guest, "context_update").slice(before)).toEqual([
      { context: "x", key: "one" },
      { context: "y", key: "two" },
    ]);
  });

  it("is told of a removal, though the control plane never saw the entry there", async () => {
    const guest = await startGuest({ protocol: 1 });
    const { find, tell } = await start({ a: guest.address });
    await find().admit(false, forever);
    expect(await tell("k", "")).toMatchObject({ applied: true });
    expect(payloadsOf(guest, "context_update")).toEqual([{ context: "", key: "k" }]);
  });
});
