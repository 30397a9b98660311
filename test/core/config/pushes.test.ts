import { describe, expect, it } from "vitest";
import { localCaller } from "../../../src/core/access/authorize.ts";
import { failureOf, forever } from "../../link/connect.ts";
import { type Behaviour, echo, type Handler, settle, startGuest, until } from "../../link/fake-guest.ts";
import { message, startWorld } from "../world.ts";

const me = localCaller;
const key = { tenant: "default", id: "a" };
const policy = { mode: "all", tools: [] } as const;

async function agent(on: Behaviour["on"], options: { configMs?: number; protocol?: 1 | 2 } = {}) {
  const { configMs = 400, protocol = 2 } = options;
  const world = await startWorld({ configMs });
  const guest = await startGuest({ protocol, on: { message: echo, ...on } });
  await world.add("a", guest.address);
  return {
    world,
    guest,
    send: (more = {}) => world.core.send(me, message("a", "hi", more), forever),
    config: (config: { [key: string]: number }, expectedRevision = 0) =>
      world.core.pushConfig(me, { agentId: "a", config, policy, expectedRevision }, forever),
    context: (text: string, name = "") =>
      world.core.pushContext(me, { agentId: "a", key: name, payload: { context: text } }, forever),
  };
}

/** Accepts revision 1 as it is, and answers later ones with this acknowledgement. */
function answerLater(ack: (payload: { [key: string]: unknown }) => object): Handler {
  return (session, { id, payload }) => {
    const { revision, sha256 } = payload;
    if (Number(revision) > 1) return session.send("config_ack", id, ack(payload));
    Object.assign(session.guest, { revision, sha256 });
    session.send("config_ack", id, { applied: true, revision, sha256 });
  };
}

describe("a pushed configuration", () => {
  it("is applied once the guest says so of this very revision and digest", async () => {
    const { config, world, guest } = await agent({});
    expect(await config({ n: 1 })).toEqual({ revision: 2, applied: true, reason: "" });
    const stored = await world.store.currentConfig(key);
    expect(stored).toMatchObject({ revision: 2, config: { n: 1 }, sha256: guest.sha256 });
    expect(await world.core.status(me, "a")).toMatchObject({ observedRevision: 2, configReason: "" });
  });

  it.each<[string, (payload: { [key: string]: unknown }) => object]>([
    ["another revision", ({ sha256 }) => ({ applied: true, revision: 1, sha256 })],
    ["another digest", ({ revision }) => ({ applied: true, revision, sha256: "0".repeat(64) })],
    ["neither", () => ({ applied: true })],
  ])("is not applied by an acknowledgement of %s, and no message is given meanwhile", async (_what, ack) => {
    const { config, send } = await agent({ config_update: answerLater(ack) });
    await send();
    expect(await config({ n: 1 })).toMatchObject({
      revision: 2,
      applied: false,
      reason: expect.stringMatching(/^the agent acknowledged revision \d, not 2$/),
    });
    expect(await failureOf(send())).toMatchObject({ reason: "CONFIG_PENDING" });
    expect(await send({ allowStaleConfig: true })).toMatchObject({ content: "hi" });
  });

  it.each<[string, Handler, string]>([
    [
      "applied:false",
      answerLater(() => ({ applied: false, reason: "bad model" })),
      "the agent refused it: bad model",
    ],
    [
      "applied:false without a reason",
      answerLater(() => ({ applied: false })),
      "the agent refused it: no reason given",
    ],
    [
      "a long reason",
      answerLater(() => ({ applied: false, reason: "x".repeat(9_000) })),
      `the agent refused it: ${"x".repeat(500)}`,
    ],
  ])(
    "that is refused by %s says why; messages are refused as well, unless they allow a stale one",
    async (_what, handler, reason) => {
      const { config, send, guest } = await agent({ config_update: handler });
      await send();
      expect(await config({ n: 1 })).toEqual({ revision: 2, applied: false, reason });
      expect(await failureOf(send())).toMatchObject({
        reason: "CONFIG_REJECTED",
        code: "failed_precondition",
        message: `revision 2 is not in force: ${reason}`,
      });
      expect(await send({ allowStaleConfig: true })).toMatchObject({ content: "hi" });
      const sent = guest.sessions[0]?.received.filter(({ type }) => type === "message").at(-1);
      expect(sent?.payload).not.toHaveProperty("min_config_revision");
      guest.on["config_update"] = answerLater(({ revision, sha256 }) => ({
        applied: true,
        revision,
        sha256,
      }));
      expect(await config({ n: 2 })).toMatchObject({ revision: 3, applied: true });
      expect(await send()).toMatchObject({ content: "hi" });
    },
  );

  it("that is refused by an error frame is refused", async () => {
    const { config, send, guest } = await agent({});
    await send();
    guest.on["config_update"] = (session, { id }) =>
      session.send("error", id, { code: "invalid_config", message: "no" });
    expect(await config({ n: 1 })).toMatchObject({ applied: false, reason: "the agent refused it: no" });
    expect(await failureOf(send())).toMatchObject({ reason: "CONFIG_REJECTED" });
  });

  it("that is answered with a chunk is not applied, and is pushed again", async () => {
    const { config, send, guest } = await agent({});
    await send();
    let pushes = 0;
    guest.on["config_update"] = (session, { id, payload }) => {
      if (++pushes === 1) return session.send("chunk", id, { content: "", done: true });
      const { revision, sha256 } = payload;
      session.send("config_ack", id, { applied: true, revision, sha256 });
    };
    expect(await config({ n: 1 })).toMatchObject({
      applied: false,
      reason: "the agent answered a push with chunk",
    });
    expect(await send()).toMatchObject({ content: "hi" });
    expect(pushes).toBe(2);
  });

  it("that is never acknowledged is pending, in bounded time, whatever else the guest sends", async () => {
    const { config, send, guest } = await agent({}, { configMs: 200 });
    await send();
    guest.on["config_update"] = (session, { id }) => {
      session.heartbeat();
      session.send("pong", id, {});
      session.send("config_ack", "another", { applied: true });
    };
    const began = performance.now();
    expect(await config({ n: 1 })).toMatchObject({ revision: 2, applied: false });
    expect(performance.now() - began).toBeLessThan(390);
    expect(await failureOf(send())).toMatchObject({ reason: "CONFIG_PENDING", code: "unavailable" });
  });

  it("while the guest is away is stored, and applied when it is back", async () => {
    const { config, send, guest, world } = await agent({}, { configMs: 300 });
    await send();
    await guest.down();
    await until("the loss is seen", () => world.fleet.counts().connected === 0);
    expect(await config({ n: 1 })).toMatchObject({
      revision: 2,
      applied: false,
      reason: expect.stringContaining("ECONNREFUSED"),
    });
    await guest.up();
    await send();
    expect(guest.revision).toBe(2);
  });

  it("that another has overtaken is a conflict, with nothing pushed", async () => {
    const { config, guest } = await agent({});
    await config({ n: 1 }, 1);
    expect(await failureOf(config({ n: 2 }, 1))).toMatchObject({ reason: "REVISION_CONFLICT" });
    expect(guest.revision).toBe(2);
  });

  it("is pushed again if a heartbeat tells of another one", async () => {
    const { config, send, guest } = await agent({});
    await config({ n: 1 });
    await send();
    const session = await guest.session(1);
    const pushes = () => session.received.filter(({ type }) => type === "config_update").length;
    const before = pushes();
    session.heartbeat();
    await settle();
    expect(pushes()).toBe(before);
    session.heartbeat({ config_revision: 1, config_sha256: "old" });
    await until("it was pushed again", () => pushes() > before);
    await send();
    expect(session.received.findLast(({ type }) => type === "config_update")?.payload).toMatchObject({
      revision: 2,
    });
  });

  it("that no frame can hold is refused before it is stored: it would break the link for ever", async () => {
    const { world, send, guest } = await agent({});
    let deep: { [key: string]: object } = {};
    for (let i = 0; i < 62; i++) deep = { x: deep };
    const wide = { list: Array.from({ length: 100_000 }, () => 1) };
    for (const config of [deep, wide]) {
      const input = { agentId: "a", config: config as never, policy, expectedRevision: 0 };
      expect(await failureOf(world.core.pushConfig(me, input, forever))).toMatchObject({
        reason: "INVALID_ARGUMENT",
      });
      const context = { agentId: "a", key: "", payload: { context: "x", more: config as never } };
      expect(await failureOf(world.core.pushContext(me, context, forever))).toMatchObject({
        reason: "INVALID_ARGUMENT",
      });
      const text = { role: "user", content: "x", extra: { more: config as never } } as const;
      expect(await failureOf(send({ message: text }))).toMatchObject({ reason: "INVALID_ARGUMENT" });
    }
    expect((await world.store.currentConfig(key))?.revision).toBe(1);
    expect(await send()).toMatchObject({ content: "hi" });
    expect(guest.sessions).toHaveLength(1);
  });
});

describe("a context entry", () => {
  it("that is applied is kept, under its key", async () => {
    const { context, world, guest } = await agent({});
    expect(await context("one", "k")).toMatchObject({ applied: true, refused: false, timedOut: false });
    expect(await world.store.contexts(key)).toMatchObject([{ key: "k", payload: { context: "one" } }]);
    const sent = guest.sessions[0]?.received.find(({ type }) => type === "context_update");
    expect(sent?.payload).toEqual({ context: "one", key: "k" });
  });

  it("that is refused is not kept: the one before stays", async () => {
    const { context, world, guest } = await agent({});
    await context("one");
    guest.on["context_update"] = (session, { id }) =>
      session.send("config_ack", id, { applied: false, reason: "too long" });
    const told = { applied: false, refused: true, reason: "the agent refused it: too long" };
    expect(await context("two")).toMatchObject(told);
    expect(await context("three", "other")).toMatchObject(told);
    expect(await world.store.contexts(key)).toMatchObject([{ key: "", payload: { context: "one" } }]);
  });

  it("that is refused leaves one alone that was stored after it", async () => {
    const { context, world, guest, send } = await agent({ context_update: "keep" }, { configMs: 3_000 });
    await send();
    const first = context("bad");
    const { session, frame } = await guest.next("context_update");
    const second = context("good");
    await settle();
    session.send("config_ack", frame.id, { applied: false });
    expect(await first).toMatchObject({ refused: true });
    session.send("config_ack", (await guest.next("context_update")).frame.id, { applied: true });
    expect(await second).toMatchObject({ applied: true });
    expect(await world.store.contexts(key)).toMatchObject([{ payload: { context: "good" } }]);
  });

  it("that is not acknowledged is kept, and pushed on the next link before any message", async () => {
    const { context, send, guest } = await agent({}, { configMs: 200 });
    await send();
    guest.on["context_update"] = () => {};
    expect(await context("one")).toMatchObject({ applied: false, refused: false, timedOut: true });
    guest.on = { message: echo };
    guest.sessions[0]?.socket.destroy();
    const session = await guest.session(2);
    await send();
    const types = session.received.map(({ type }) => type);
    expect(types.indexOf("context_update")).toBeGreaterThan(0);
    expect(types.indexOf("context_update")).toBeLessThan(types.indexOf("message"));
  });
});
