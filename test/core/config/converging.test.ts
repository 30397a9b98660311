import { describe, expect, it } from "vitest";
import { createCore } from "../../../src/core/core.ts";
import { localCaller } from "../../../src/core/access/authorize.ts";
import { StoreError } from "../../../src/store/store.ts";
import { createVault } from "../../../src/store/vault/vault.ts";
import { failureOf, forever } from "../../link/connect.ts";
import { type Behaviour, echo, type Handler, settle, startGuest, until } from "../../link/fake-guest.ts";
import { drain, message, startWorld, streamed, type World } from "../world.ts";

const me = localCaller;
const key = { tenant: me.tenant, id: "a" };
const policy = { mode: "all", tools: [] } as const;
const refuse: Handler = (session, { id }) => session.send("config_ack", id, { applied: false, reason: "no" });
const accept: Handler = (session, { id }) => session.send("config_ack", id, { applied: true });

async function agent(on: Behaviour["on"] = {}, options: { configMs?: number; protocol?: 1 | 2 } = {}) {
  const { configMs = 300, protocol = 2 } = options;
  const world = await startWorld({ configMs });
  const guest = await startGuest({ protocol, on: { message: echo, ...on } });
  await world.add("a", guest.address);
  return {
    world,
    guest,
    send: (more = {}) => world.core.send(me, message("a", "hi", more), forever),
    config: (config: { [key: string]: string | number }, expectedRevision = 0, core = world.core) =>
      core.pushConfig(me, { agentId: "a", config, policy, expectedRevision }, forever),
    context: (text: string, name = "k") =>
      world.core.pushContext(me, { agentId: "a", key: name, payload: { context: text, key: name } }, forever),
    entries: async () =>
      (await world.store.contexts(key)).map(({ key: name, payload }) => [name, payload["context"]]),
    state: async () => (await world.core.status(me, "a")).configState,
  };
}

/** Resolves once the store's entries are these. */
async function untilEntries(entries: () => Promise<unknown>, wanted: unknown): Promise<void> {
  for (let tries = 0; tries < 1_000; tries++) {
    if (JSON.stringify(await entries()) === JSON.stringify(wanted)) return;
    await settle(1);
  }
  expect(await entries()).toEqual(wanted);
}

describe("a context entry that the guest refuses", () => {
  it("is taken back though the call was answered long before", async () => {
    const { context, entries, guest, send } = await agent({}, { configMs: 100 });
    await context("good");
    guest.on["context_update"] = "keep";
    expect(await context("bad")).toMatchObject({ applied: false, refused: false, timedOut: true });
    expect(await entries()).toEqual([["k", "bad"]]);
    expect(await failureOf(send())).toMatchObject({ reason: "CONFIG_PENDING" });
    guest.on["context_update"] = (session, frame) =>
      (frame.payload["context"] === "bad" ? refuse : accept)(session, frame);
    await untilEntries(entries, [["k", "good"]]);
    expect(await send()).toMatchObject({ content: "hi" });
  });

  it("is taken back though the link was lost before it said so", async () => {
    const { context, entries, guest } = await agent({ context_update: "keep" }, { configMs: 2_000 });
    const pushed = context("bad");
    const { session } = await guest.next("context_update");
    guest.on["context_update"] = refuse;
    session.socket.destroy();
    expect(await pushed).toMatchObject({ applied: false, refused: true });
    expect(await entries()).toEqual([]);
  });

  it("is taken back though the store did not answer at once", async () => {
    const { world, entries, guest } = await agent({}, { configMs: 2_000 });
    const { store } = world;
    let failures = 0;
    const core = createCore({
      ...world.options,
      store: {
        ...store,
        restoreContext: (...args) =>
          ++failures < 4
            ? Promise.reject(new StoreError("unavailable", "away"))
            : store.restoreContext(...args),
      },
    });
    guest.on["context_update"] = refuse;
    const payload = { context: "bad", key: "k" };
    expect(await core.pushContext(me, { agentId: "a", key: "k", payload }, forever)).toMatchObject({
      refused: true,
    });
    await untilEntries(entries, []);
    expect(failures).toBe(4);
    await until("it is settled", () => world.fleet.find(key)?.convergence.state.kind === "applied");
  });

  it("twice in a row goes back to what was before both", async () => {
    const { context, entries, guest } = await agent({}, { configMs: 2_000 });
    await context("good");
    guest.on["context_update"] = "keep";
    const first = context("bad 1");
    const one = await guest.next("context_update");
    const second = context("bad 2");
    await untilEntries(entries, [["k", "bad 2"]]);
    refuse(one.session, one.frame);
    const two = await guest.next("context_update");
    guest.on["context_update"] = accept;
    refuse(two.session, two.frame);
    expect(await Promise.all([first, second])).toMatchObject([{ refused: true }, { refused: true }]);
    await untilEntries(entries, [["k", "good"]]);
  });

  it("though it was overtaken before the guest saw it never comes back", async () => {
    const { context, entries, guest, world } = await agent({ context_update: "keep" }, { configMs: 2_000 });
    const first = context("one");
    const one = await guest.next("context_update");
    const unseen = context("unseen");
    await untilEntries(entries, [["k", "unseen"]]);
    const last = context("bad");
    await untilEntries(entries, [["k", "bad"]]);
    accept(one.session, one.frame);
    expect(await first).toMatchObject({ applied: true });
    const two = await guest.next("context_update");
    guest.on["context_update"] = accept;
    refuse(two.session, two.frame);
    expect(await unseen).toMatchObject({
      applied: false,
      refused: false,
      reason: "superseded by a later change of the same entry, which the agent refused: neither is kept",
    });
    expect(await last).toMatchObject({ refused: true });
    await untilEntries(entries, [["k", "one"]]);
    await until("it is settled", () => world.fleet.find(key)?.convergence.state.kind === "applied");
  });
});

describe("a message", () => {
  it("waits for a context entry that was pushed before it", async () => {
    const { context, guest, send } = await agent({ context_update: "keep" }, { configMs: 2_000 });
    await send();
    const pushed = context("new");
    const { session, frame } = await guest.next("context_update");
    const sent = send();
    const stale = send({ allowStaleConfig: true });
    expect(await stale).toMatchObject({ content: "hi" });
    const messages = () => session.received.filter(({ type }) => type === "message").length;
    expect(messages()).toBe(2);
    accept(session, frame);
    await Promise.all([pushed, sent]);
    expect(messages()).toBe(3);
  });
});

describe("the state of an agent's configuration", () => {
  it("is unknown until the agent is reached, pending while it is pushed, then applied", async () => {
    const world = await startWorld({ configMs: 2_000 });
    const state = async () => (await world.core.status(me, "a")).configState;
    const guest = await startGuest({ on: { config_update: "keep" } });
    await guest.down();
    await world.add("a", guest.address);
    expect(await state()).toBe("unknown");
    await guest.up();
    const { session, frame } = await guest.next("config_update");
    expect(await state()).toBe("pending");
    const { revision, sha256 } = frame.payload;
    session.send("config_ack", frame.id, { applied: true, revision, sha256 });
    await world.core.pushContext(me, { agentId: "a", key: "", payload: { context: "x" } }, forever);
    expect(await state()).toBe("applied");
    guest.on["config_update"] = refuse;
    await world.core.pushConfig(me, { agentId: "a", config: {}, policy, expectedRevision: 0 }, forever);
    expect(await state()).toBe("refused");
  });

  it("is assumed if a guest of protocol 1 said so", async () => {
    const { send, state } = await agent({}, { protocol: 1 });
    await send();
    expect(await state()).toBe("assumed");
  });
});

describe("a configuration with secrets", () => {
  const withVault = (world: World) =>
    createCore({ ...world.options, vault: createVault([Buffer.alloc(32, 7)]) });

  it("is refused as an argument if there is no key, or nothing to keep", async () => {
    const { config, world } = await agent();
    expect(await failureOf(config({ token: "secret:abc" }))).toMatchObject({ reason: "INVALID_ARGUMENT" });
    expect(await failureOf(config({ token: "secret:[redacted]" }, 0, withVault(world)))).toMatchObject({
      reason: "INVALID_ARGUMENT",
      message: expect.stringContaining("/token"),
    });
    expect((await world.store.currentConfig(key))?.revision).toBe(1);
  });

  it("keeps a secret of the configuration that is current when it is stored, not of one before", async () => {
    const { config, world } = await agent();
    const core = withVault(world);
    await config({ token: "secret:first", n: 0 }, 0, core);
    const { store } = world;
    let raced = false;
    const racing = createCore({
      ...world.options,
      vault: createVault([Buffer.alloc(32, 7)]),
      store: {
        ...store,
        async currentConfig(agentKey) {
          const current = await store.currentConfig(agentKey);
          if (!raced) {
            raced = true;
            await config({ token: "secret:second" }, 0, core);
          }
          return current;
        },
      },
    });
    await config({ token: "secret:[redacted]", n: 1 }, 0, racing);
    const stored = await store.currentConfig(key);
    const vault = createVault([Buffer.alloc(32, 7)]);
    expect(vault.open(key, stored?.config ?? {})).toEqual({ token: "second", n: 1 });
    expect(await failureOf(config({ token: "secret:[redacted]" }, 1, racing))).toMatchObject({
      reason: "REVISION_CONFLICT",
    });
  });
});

describe("a run that a blocked tool ended", () => {
  it("stands in the audit log, with the tool and who asked", async () => {
    const { world } = await agent({
      message(session, { id }) {
        session.opened(id);
        session.send("tool_blocked", id, { tool_name: "exec", reason: "no", sequence: 1 });
      },
    });
    const { error } = await drain(await world.core.stream(me, streamed("a", "hi"), forever));
    expect(error).toMatchObject({ reason: "TOOL_BLOCKED" });
    await world.options.audit.close();
    const entries = await world.store.listAudit({ after: 0, limit: 100 });
    expect(entries.filter(({ action }) => action === "tool.blocked")).toMatchObject([
      { tenant: me.tenant, subject: me.subject, agentId: "a", detail: { tool: "exec" } },
    ]);
  });
});
