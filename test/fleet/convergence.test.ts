import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import { StoreError } from "../../src/store/store.ts";
import { VaultError } from "../../src/store/vault/vault.ts";
import { configDigest } from "../../protocol/wire/digest.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { KeptErrors } from "../helpers/unexpected.ts";
import { failureOf, forever } from "../link/connect.ts";
import { type Behaviour, type Guest, type Handler, settle, startGuest, until } from "../link/fake-guest.ts";
import { a, all, by, payloadsOf, putConfig, start, typesOf } from "./start.ts";

const on = (handlers: Behaviour["on"]): Partial<Behaviour> => ({ on: handlers });
const sha = (config: object) => configDigest(config, all);
const refuse: Handler = (session, { id }) => session.send("config_ack", id, { applied: false, reason: "no" });
const revisions = (guest: Guest) => payloadsOf(guest, "config_update").map(({ revision }) => revision);

describe("convergence", () => {
  it("is never refused for the number of pushes that wait, and tells them so", async () => {
    const guest = await startGuest();
    // Longer than 300 entries take to be stored.
    const { find, store, tell } = await start({ a: guest.address }, { configMs: 2_000 });
    await find().admit(false, forever);
    guest.on = { config_update: "keep" };
    const verdict = find().configStored(await putConfig(store, { n: 1 }));
    const pushes = Array.from({ length: 300 }, () => tell("k", "x"));
    expect(await pushes[299]).toMatchObject({
      applied: false,
      reason: "too many pushes wait for this agent",
    });
    expect(await verdict).toMatchObject({ applied: false, refused: false });
    guest.on = {};
    await until("it is settled", () => find().convergence.state.kind === "applied");
    expect(guest.revision).toBe(2);
    expect(typesOf(guest, 1).filter((type) => type === "context_update").length).toBeLessThan(5);
  });

  it("tries again until the guest answers, and never in a tight loop", async () => {
    let pushes = 0;
    const guest = await startGuest(on({ config_update: () => void pushes++ }));
    const { find } = await start({ a: guest.address }, { configMs: 50 });
    expect(await failureOf(find().admit(false, forever))).toMatchObject({ code: "config_pending" });
    await until("it was pushed often", () => pushes > 3);
    expect(pushes).toBeLessThan(20);
    guest.on = {};
    await until("it is settled", () => find().convergence.state.kind === "applied");
    expect(find().convergence.observedRevision).toBe(1);
  });

  it("says that the store is away, in no words of the store, and goes on once it is back", async () => {
    const guest = await startGuest();
    let broken = true;
    const { find } = await start(
      { a: guest.address },
      {
        wrap: (store) => ({
          ...store,
          currentConfig: (key) =>
            broken
              ? Promise.reject(new StoreError("unavailable", "/secret/path is locked"))
              : store.currentConfig(key),
        }),
      },
    );
    const error = await failureOf(find().admit(false, forever));
    expect(error).toMatchObject({ code: "config_pending" });
    expect(String(error)).not.toContain("secret");
    broken = false;
    await until("it is settled", () => find().convergence.state.kind === "applied");
  });

  it("logs an error that nobody expects once with its stack, counts it, and goes on once it is gone", async () => {
    const guest = await startGuest();
    const errors = new KeptErrors();
    let isFaulty = true;
    const { find } = await start(
      { a: guest.address },
      {
        errors,
        wrap: (store) => ({
          ...store,
          contexts: (key) =>
            isFaulty ? Promise.reject(new TypeError("x is not a function")) : store.contexts(key),
        }),
      },
    );
    const error = await failureOf(find().admit(false, forever));
    expect(error).toMatchObject({ code: "config_pending", message: expect.stringContaining("in its log") });
    expect(String(error)).not.toContain("x is not a function");
    await until("it was tried again", () => errors.count > 2);
    expect(errors.lines).toHaveLength(1);
    expect(errors.lines[0]).toMatchObject({
      text: "the configuration of an agent could not be looked up",
      err: { message: "x is not a function", stack: expect.stringContaining("convergence.test.ts") },
      tenant: "t",
      agent: "a",
    });
    isFaulty = false;
    await until("it is settled", () => find().convergence.state.kind === "applied");
  });

  it("pushes the configuration with its secrets open, and says why if it can't", async () => {
    const guest = await startGuest();
    let locked = true;
    const { find, push } = await start(
      { a: guest.address },
      {
        openConfig: (key, stored) => {
          if (locked) throw new VaultError("no_key", `there is no key for ${key.id}`);
          return { ...stored, opened: true };
        },
      },
    );
    expect(await failureOf(find().admit(false, forever))).toMatchObject({
      code: "config_pending",
      message: "revision 1 is not in force yet: there is no key for a",
    });
    expect(payloadsOf(guest, "config_update")).toEqual([]);
    locked = false;
    expect(await push({ n: 1 })).toMatchObject({ applied: true });
    expect(payloadsOf(guest, "config_update").at(-1)).toMatchObject({ config: { n: 1, opened: true } });
  });

  it("skips revisions that another overtook while they waited", async () => {
    const guest = await startGuest();
    const { find, store } = await start({ a: guest.address }, { configMs: 3_000 });
    await find().admit(false, forever);
    guest.on = { config_update: "keep" };
    const outcomes = [find().configStored(await putConfig(store, { n: 2 }))];
    const { session, frame } = await guest.next("config_update");
    for (const n of [3, 4, 5]) outcomes.push(find().configStored(await putConfig(store, { n })));
    guest.on = {};
    session.send("config_ack", frame.id, { applied: true, revision: 2, sha256: sha({ n: 2 }) });
    const overtaken = { applied: false, refused: false, reason: "superseded by revision 5" };
    expect(await Promise.all(outcomes)).toEqual([
      { revision: 2, applied: true, refused: false, reason: "" },
      { revision: 3, ...overtaken },
      { revision: 4, ...overtaken },
      { revision: 5, applied: true, refused: false, reason: "" },
    ]);
    expect(revisions(guest)).toEqual([1, 2, 5]);
  });

  it("holds messages back as soon as a configuration is stored, until the guest has it", async () => {
    const guest = await startGuest();
    const { find, store } = await start({ a: guest.address }, { configMs: 3_000 });
    await find().admit(false, forever);
    guest.on = { config_update: "keep" };
    void find().configStored(await putConfig(store, { n: 1 }));
    const admitted = find().admit(false, forever);
    const stale = await find().admit(true, forever);
    const { session, frame } = await guest.next("config_update");
    expect(find().record.configRevision).toBe(2);
    let isAdmitted = false;
    void admitted.then(() => (isAdmitted = true));
    await settle();
    expect(isAdmitted).toBe(false);
    session.send("config_ack", frame.id, { applied: true, revision: 2, sha256: sha({ n: 1 }) });
    expect(await admitted).toBe(stale);
  });

  it("believes no acknowledgement of another exchange, revision or digest", async () => {
    const guest = await startGuest();
    const { find, store } = await start({ a: guest.address }, { configMs: 60 });
    await find().admit(false, forever);
    guest.on = { config_update: "keep" };
    const outcome = find().configStored(await putConfig(store, { n: 1 }));
    const { session, frame } = await guest.next("config_update");
    expect(await outcome).toMatchObject({ applied: false, refused: false });
    const right = { applied: true, revision: 2, sha256: sha({ n: 1 }) };
    const second = await guest.next("config_update");
    session.send("config_ack", frame.id, right); // that exchange is over
    session.send("config_ack", "", right);
    session.send("config_ack", second.frame.id, { ...right, revision: 1 });
    const third = await guest.next("config_update");
    session.send("config_ack", second.frame.id, right);
    session.send("config_ack", third.frame.id, { ...right, sha256: "0".repeat(64) });
    await guest.next("config_update");
    expect(find().convergence.state.kind).toBe("pending");
    expect(find().convergence.observedRevision).toBe(1);
  });

  it("tells only of what differs for one who watches", async () => {
    const guest = await startGuest();
    const { find, fleet, push } = await start({ a: guest.address });
    await find().admit(false, forever);
    const seen: string[] = [];
    fleet.watch("t", {
      changed: () => seen.push(`${find().convergence.state.kind} ${find().record.configRevision}`),
      removed: () => {},
      resync: () => {},
    });
    for (let i = 0; i < 3; i++) guest.sessions[0]?.heartbeat();
    await settle();
    expect(seen.length).toBeLessThanOrEqual(1); // the guest says `running` now
    await push({ n: 1 });
    await until("it is settled", () => find().convergence.state.kind === "applied");
    expect(seen).toContain("pending 2");
    expect(seen).toContain("applied 2");
    seen.length = 0;
    guest.sessions[0]?.heartbeat({ in_flight: 3 });
    await until("that is told", () => seen.length > 0);
  });

  it("keeps no memory of tries on a link that stays", async () => {
    const guest = await startGuest(on({ config_update: () => {} }));
    const { find } = await start({ a: guest.address }, { configMs: 20 });
    const connection = await find().reach(forever);
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
    await until("it was tried often", () => typesOf(guest, 1).length > 4);
    expect(reactions).toBe(0);
  });
});

describe("a refused revision", () => {
  it("is not pushed to the same boot again: not for a heartbeat, not on another link, not by another control plane", async () => {
    const guest = await startGuest(on({ config_update: refuse }));
    const { find, store, fleet } = await start({ a: guest.address });
    const told = { code: "config_refused", message: "revision 1 is not in force: the agent refused it: no" };
    expect(await failureOf(find().admit(false, forever))).toMatchObject(told);
    for (let i = 0; i < 3; i++) guest.sessions[0]?.heartbeat();
    guest.sessions[0]?.socket.destroy();
    await guest.session(2);
    expect(await failureOf(find().admit(false, forever))).toMatchObject(told);
    expect(await store.currentConfig(a)).toMatchObject({
      verdict: { outcome: "refused", reason: "the agent refused it: no", bootId: "boot-1" },
    });
    fleet.close();
    const other = await start({}, { on: store });
    expect(await failureOf(other.find().admit(false, forever))).toMatchObject(told);
    expect(revisions(guest)).toEqual([1]);
  });

  it("is tried once with each new boot, and no longer once another revision is stored", async () => {
    const guest = await startGuest(on({ config_update: refuse }));
    const { find, push, store } = await start({ a: guest.address });
    expect(await failureOf(find().admit(false, forever))).toMatchObject({ code: "config_refused" });
    guest.bootId = "boot-2";
    guest.sessions[0]?.socket.destroy();
    await guest.session(2);
    await until("it was pushed to the new boot", () => revisions(guest).length === 2);
    await until("that is refused", () => find().convergence.state.kind === "refused");
    guest.on = {};
    expect(await push({ n: 1 })).toMatchObject({ applied: true, revision: 2 });
    await find().admit(false, forever);
    expect(revisions(guest)).toEqual([1, 1, 2]);
    expect(await store.getConfig(a, 1)).toMatchObject({ verdict: { outcome: "refused", bootId: "boot-2" } });
  });

  it("is known though the store could not take it down at once", async () => {
    const guest = await startGuest(on({ config_update: refuse }));
    let broken = true;
    const { find, push, store } = await start(
      { a: guest.address },
      {
        wrap: (real) => ({
          ...real,
          recordVerdict: (...args) =>
            broken ? Promise.reject(new StoreError("unavailable", "away")) : real.recordVerdict(...args),
        }),
      },
    );
    expect(await failureOf(find().admit(false, forever))).toMatchObject({ code: "config_refused" });
    broken = false;
    await push({ n: 1 });
    const outcomes = async () =>
      (await store.listConfigs(a, { before: 0, limit: 9 })).map((one) => one.verdict);
    for (let tries = 0; tries < 100 && (await outcomes()).some(({ outcome }) => outcome === "none"); tries++)
      await settle(1);
    expect(await outcomes()).toMatchObject([{ outcome: "refused" }, { outcome: "refused" }]);
  });
});

describe("a guest that can't say yet", () => {
  it("gets it again at once if its OpenClaw became ready while a push was under way", async () => {
    const times: number[] = [];
    const guest = await startGuest(
      on({
        hello: (session) => session.heartbeat({ openclaw: "down" }),
        config_update(session, { id, payload }) {
          const { revision, sha256 } = payload;
          times.push(performance.now());
          if (times.length === 6) session.heartbeat({ openclaw: "ready" });
          const retry = { applied: false, revision: 0, sha256: "", reason: "OpenClaw is away", retry: true };
          session.send("config_ack", id, times.length < 7 ? retry : { applied: true, revision, sha256 });
        },
      }),
    );
    // The longest of the random pauses.
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    onTestFinished(() => void vi.restoreAllMocks());
    await start({ a: guest.address });
    await until("it was pushed again", () => times.length === 7, 20_000);
    expect((times[6] ?? 0) - (times[5] ?? 0)).toBeLessThan(1_000);
  });

  it("leaves the configuration pending with its reason, and gets it again when its OpenClaw is ready", async () => {
    let away = true;
    const guest = await startGuest(
      on({
        hello: (session) => session.heartbeat({ openclaw: "down" }),
        config_update(session, { id, payload }) {
          const { revision, sha256 } = payload;
          const retry = { applied: false, revision: 0, sha256: "", reason: "OpenClaw is away", retry: true };
          session.send("config_ack", id, away ? retry : { applied: true, revision, sha256 });
        },
      }),
    );
    const { find, store } = await start({ a: guest.address });
    expect(await failureOf(find().admit(false, forever))).toMatchObject({
      code: "config_pending",
      message: expect.stringContaining("the agent can't apply it yet: OpenClaw is away"),
    });
    expect(await store.currentConfig(a)).toMatchObject({ verdict: { outcome: "none" } });
    // The pauses between tries have grown by now: the heartbeat is what ends them.
    await until("it was tried often", () => revisions(guest).length > 5, 20_000);
    away = false;
    guest.sessions[0]?.heartbeat({ openclaw: "ready" });
    await until("it is settled", () => find().convergence.state.kind === "applied", 1_000);
  });
});

describe("what is observed", () => {
  it("does not fall while the boot stays, though a lower one is reported and pushed to again", async () => {
    const guest = await startGuest();
    const { find, push } = await start({ a: guest.address });
    await push({ n: 1 });
    await push({ n: 2 });
    expect(find().convergence.observedRevision).toBe(3);
    const before = revisions(guest).length;
    const seen: number[] = [];
    guest.on["config_update"] = (session, { id, payload }) => {
      seen.push(find().convergence.observedRevision);
      session.send("config_ack", id, {
        applied: true,
        revision: payload["revision"],
        sha256: payload["sha256"],
      });
    };
    guest.sessions[0]?.heartbeat({ config_revision: 2, config_sha256: sha({ n: 1 }) });
    await until("it was pushed again", () => revisions(guest).length > before);
    await find().admit(false, forever);
    expect(seen).toEqual([3]);
    expect(find().convergence.observedRevision).toBe(3);
  });

  it("is what another boot reports", async () => {
    const guest = await startGuest();
    const { find, push } = await start({ a: guest.address }, { configMs: 1_000 });
    await push({ n: 1 });
    Object.assign(guest, { bootId: "boot-2", revision: 0, sha256: "", on: { config_update: "keep" } });
    guest.sessions[0]?.socket.destroy();
    await guest.next("config_update");
    expect(find().convergence.observedRevision).toBe(0);
  });

  it("is pushed to no faster by a guest that contradicts itself all the time", async () => {
    const guest = await startGuest();
    const { find } = await start({ a: guest.address });
    await find().admit(false, forever);
    guest.on["hello"] = (session) => session.heartbeat({ config_revision: 0 });
    const end = performance.now() + 400;
    while (performance.now() < end) {
      guest.sessions[0]?.heartbeat({ config_revision: 0, config_sha256: "" });
      await settle(8);
    }
    expect(revisions(guest).length).toBeLessThan(4);
  });
});

describe("a guest with a life that the store does not know", () => {
  it.each([
    ["a higher revision", 9],
    ["the same revision with another digest", 1],
  ])("that has %s gets the desired configuration under the next one", async (_what, revision) => {
    const guest = await startGuest({ revision, sha256: "f".repeat(64) });
    const { find, store } = await start({ a: guest.address });
    await find().admit(false, forever);
    expect(guest).toMatchObject({ revision: revision + 1, sha256: sha({}) });
    expect(await store.currentConfig(a)).toMatchObject({ revision: revision + 1, config: {} });
    expect(find().record.configRevision).toBe(revision + 1);
    expect(revisions(guest)).toEqual([revision + 1]);
  });

  it("that says so by refusing does as well, and whoever pushed is told the revision it became", async () => {
    const guest = await startGuest();
    const { find, push } = await start({ a: guest.address }, { configMs: 2_000 });
    await find().admit(false, forever);
    // Somebody else made it have revision 7.
    guest.on["config_update"] = (session, { id, payload }) => {
      const { revision, sha256 } = payload;
      if (Number(revision) > 7) return session.send("config_ack", id, { applied: true, revision, sha256 });
      const inForce = { revision: 7, sha256: "f".repeat(64) };
      session.send("config_ack", id, { applied: false, reason: "older", ...inForce });
    };
    expect(await push({ n: 1 })).toEqual({ applied: true, refused: false, reason: "", revision: 8 });
    expect(find().convergence.state.kind).toBe("applied");
  });

  it("harms only itself if it leaves no number above its own", async () => {
    const guest = await startGuest({ revision: 0xffff_ffff, sha256: "f".repeat(64) });
    const { find, store, push } = await start({ a: guest.address });
    expect(await failureOf(find().admit(false, forever))).toMatchObject({
      code: "config_pending",
      message: expect.stringContaining("so high that none is left above it"),
    });
    expect(await push({ n: 1 })).toMatchObject({ applied: false, refused: false });
    expect(await store.currentConfig(a)).toMatchObject({ revision: 2 });
    expect(revisions(guest)).toEqual([]);
  });

  it("does not make the store count up with it", async () => {
    const guest = await startGuest();
    const { find, store } = await start({ a: guest.address });
    await find().admit(false, forever);
    const end = performance.now() + 400;
    for (let revision = 100; performance.now() < end; revision += 100) {
      guest.sessions[0]?.heartbeat({ config_revision: revision, config_sha256: "f".repeat(64) });
      await settle(8);
    }
    const raises = (await store.listAudit({ after: 0, limit: 1_000 })).filter(
      ({ action }) => action === "config.raise",
    );
    expect(raises.length).toBeLessThan(3);
  });

  it("is what an agent that was deleted and created again finds", async () => {
    const guest = await startGuest();
    const { find, push, fleet, store } = await start({ a: guest.address });
    for (let n = 1; n < 5; n++) await push({ n });
    expect(guest.revision).toBe(5);
    await store.deleteAgent(a, by);
    fleet.remove(a);
    const again = { ...a, status: "RUNNING", vsockCid: 0, address: guest.address } as const;
    fleet.update(await store.createAgent(again, by));
    await find().admit(false, forever);
    expect(guest).toMatchObject({ revision: 6, sha256: sha({}) });
  });
});

describe("a configuration that another process stored", () => {
  it("is pushed once the record says so, and messages wait for it", async () => {
    const guest = await startGuest();
    const { find, fleet, store } = await start({ a: guest.address }, { configMs: 2_000 });
    await find().admit(false, forever);
    await putConfig(store, { n: 1 });
    const record = await store.getAgent(a);
    if (record !== undefined) fleet.update(record);
    expect(find().convergence.state.kind).toBe("pending");
    await find().admit(false, forever);
    expect(guest.revision).toBe(2);
  });

  it("and pushed itself is known from a heartbeat, and not raised", async () => {
    const guest = await startGuest();
    const store = await openSqliteStore(":memory:");
    afterFile(() => store.close());
    const one = await start({ a: guest.address }, { on: store });
    const two = await start({}, { on: store });
    await Promise.all([one.find().admit(false, forever), two.find().admit(false, forever)]);
    await one.push({ n: 1 });
    for (const session of guest.sessions) session.heartbeat();
    await until("the other knows", () => two.find().record.configRevision === 2);
    await two.find().admit(false, forever);
    expect((await store.currentConfig(a))?.revision).toBe(2);
  });
});

describe("a guest of protocol 1", () => {
  it("is pushed to on every link, and believed", async () => {
    const guest = await startGuest({ protocol: 1 });
    const { find } = await start({ a: guest.address });
    await find().admit(false, forever);
    expect(find().convergence).toMatchObject({ state: { kind: "assumed" }, observedRevision: 1 });
    guest.sessions[0]?.socket.destroy();
    await guest.session(2);
    await until("it is pushed again", () => payloadsOf(guest, "config_update").length === 2);
    await find().admit(false, forever);
    expect(payloadsOf(guest, "config_update")[1]).toEqual({ config: {}, tool_allowlist: [] });
  });
});
