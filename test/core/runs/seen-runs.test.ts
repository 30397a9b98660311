import { describe, expect, it } from "vitest";
import { localCaller } from "../../../src/core/access/authorize.ts";
import { linkName } from "../../../src/core/runs/names.ts";
import { createSeenRuns } from "../../../src/core/runs/seen-runs.ts";
import type { RunEvent, RunStream } from "../../../src/core/types.ts";
import type { AgentRecord } from "../../../src/store/store.ts";
import { failureOf, forever } from "../../link/connect.ts";
import { settle } from "../../link/fake-guest.ts";
import { eventsOf, type HeldRun, startLivingGuest } from "../living-guest.ts";
import { drain, message, startWorld, streamed, textOf, type World } from "../world.ts";

const me = localCaller;
const name = linkName(me, "r");

/** A run of 67 events that goes on. */
const inFlight = (life = "life-1"): HeldRun => ({ life, events: eventsOf(1, 1, 67), isOver: false });

async function agent(answer: () => HeldRun = inFlight, lives = true) {
  const living = await startLivingGuest(() => answer(), lives);
  const world = await startWorld();
  await world.add("a", living.guest.address);
  const stream = (more = {}, from: World = world) =>
    from.core.stream(me, streamed("a", "pay 100", { requestId: "r", ...more }), forever);
  return { ...living, world, stream };
}

/** Reads as many events, and leaves. */
async function read(stream: RunStream, most: number): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  while (events.length < most) events.push(...((await stream.next()) ?? []));
  stream.close();
  return events;
}

describe("a guest that was put back to a snapshot in the middle of a run", () => {
  /** Its memory is that of event 29, and from there it has given another answer. */
  const putBack = (to: number, isOver: boolean): HeldRun => ({
    life: "life-1",
    events: [...eventsOf(1, 1, 29), ...eventsOf(2, 30, to)],
    isOver,
  });

  it.each([
    ["has only 29 events so far", 29, false],
    ["is at event 50", 50, false],
    ["is at event 80", 80, false],
    ["has ended after 40", 40, true],
    ["has ended after 150", 150, true],
  ])("never mixes two answers: RUN_LOST if it %s", async (_, to, isOver) => {
    const { runs, stream } = await agent();
    expect(textOf(await read(await stream(), 67))).toContain("1.67");
    runs.set(name, putBack(to, isOver));
    for (const input of [
      { afterSequence: 67 },
      { afterSequence: 30 },
      { afterSequence: 67, life: "life-1" },
      {},
    ])
      expect(await failureOf(stream(input))).toMatchObject({ reason: "RUN_LOST" });
  });

  it("is read on if the answer is the same one", async () => {
    const { runs, stream } = await agent();
    await read(await stream(), 67);
    runs.set(name, { life: "life-1", events: eventsOf(1, 1, 90), isOver: true });
    const { events } = await drain(await stream({ afterSequence: 67 }));
    expect(textOf(events)).toBe(
      eventsOf(1, 68, 90)
        .map(({ text }) => text)
        .join(""),
    );
  });

  it("that forgot the run runs nothing again: RUN_LOST, for a resume and for the message", async () => {
    const { runs, begun, stream, world } = await agent();
    await read(await stream(), 67);
    runs.clear();
    expect(await failureOf(stream({ afterSequence: 67 }))).toMatchObject({ reason: "RUN_LOST" });
    expect(await failureOf(stream())).toMatchObject({ reason: "RUN_LOST" });
    const again = world.core.send(me, message("a", "pay 100", { requestId: "r" }), forever);
    expect(await failureOf(again)).toMatchObject({ reason: "RUN_LOST", metadata: { request_id: "r" } });
    expect(begun).toEqual([name]);
  });
});

describe("a run that began anew under the same name", () => {
  it("is told from the first by its life, to a host that has seen neither", async () => {
    const { runs, stream, guest } = await agent();
    const first = await stream();
    expect(first.opened.life).toBe("life-1");
    await read(first, 67);
    runs.set(name, { ...inFlight("life-2"), events: eventsOf(2, 1, 80) });
    const other = await startWorld();
    await other.add("a", guest.address);
    const resumed = stream({ afterSequence: 67, life: "life-1" }, other);
    expect(await failureOf(resumed)).toMatchObject({ reason: "RUN_LOST" });
    expect((await stream({ afterSequence: 67, life: "life-2" }, other)).opened.life).toBe("life-2");
  });

  it("is read if the caller names its life, whatever this host has seen before", async () => {
    const { runs, stream } = await agent();
    await read(await stream(), 67);
    runs.set(name, { ...inFlight("life-2"), events: eventsOf(2, 1, 80), isOver: true });
    expect(await failureOf(stream({ afterSequence: 67 }))).toMatchObject({ reason: "RUN_LOST" });
    const { events } = await drain(await stream({ afterSequence: 67, life: "life-2" }));
    expect(events).toHaveLength(14);
    expect((await drain(await stream({ afterSequence: 70 }))).events).toHaveLength(11);
  });

  it("is not begun by a call that names a life", async () => {
    const { stream, begun } = await agent();
    expect(await failureOf(stream({ life: "life-0" }))).toMatchObject({ reason: "RUN_LOST" });
    expect(begun).toEqual([]);
  });
});

describe("a guest of an older version", () => {
  it("is asked nothing about lives, and its runs are resumed as before", async () => {
    const { stream, guest } = await agent(inFlight, false);
    const first = await stream();
    expect(first.opened.life).toBe("");
    await read(first, 67);
    await read(await stream({ afterSequence: 60 }), 7);
    const sent = guest.sessions.flatMap(({ received }) => received.filter(({ type }) => type === "message"));
    for (const { payload } of sent) {
      expect(payload).not.toHaveProperty("run_life");
      expect(payload).not.toHaveProperty("run_seen");
    }
  });

  it("in the place of one that named lives has lost the run, and is not given the message", async () => {
    const { stream, guest, runs } = await agent();
    await read(await stream(), 67);
    guest.on["hello"] = (session) => session.heartbeat();
    await guest.down();
    await guest.up();
    runs.clear();
    await settle();
    expect(await failureOf(stream())).toMatchObject({ reason: "RUN_LOST" });
    expect(await failureOf(stream({ afterSequence: 67 }))).toMatchObject({ reason: "RUN_LOST" });
  });
});

describe("a life that is no name", () => {
  it.each(["x".repeat(129), "a b", "é"])("is the guest's fault: %s", async (life) => {
    const { stream } = await agent(() => inFlight(life));
    expect(await failureOf(stream())).toMatchObject({ reason: "INVALID_FRAME" });
  });
});

describe("what is remembered of runs", () => {
  const record = (id: string, createTime = 1) => ({ id, createTime: new Date(createTime) }) as AgentRecord;

  it("is bounded in number, the ones that were opened last stay", () => {
    const seen = createSeenRuns(3);
    const first = seen.open(record("a"), "1");
    first.sequence = 5;
    for (const run of ["2", "3", "1", "4", "5"]) seen.open(record("a"), run);
    expect(seen.size).toBe(3);
    expect(seen.open(record("a"), "1").sequence).toBe(5);
    expect(seen.open(record("a"), "2").sequence).toBe(0);
  });

  it("is forgotten an hour after a call last asked for it", () => {
    let time = 0;
    const seen = createSeenRuns(3, () => time);
    seen.open(record("a"), "1").sequence = 5;
    time += 3_000_000;
    expect(seen.open(record("a"), "1").sequence).toBe(5);
    time += 3_700_000;
    seen.open(record("a"), "2");
    expect(seen.size).toBe(1);
  });

  it("is of one agent alone: one that was deleted and created again is another", () => {
    const seen = createSeenRuns();
    seen.open(record("a"), "1").sequence = 5;
    expect(seen.open(record("b"), "1").sequence).toBe(0);
    expect(seen.open(record("a", 2), "1").sequence).toBe(0);
  });

  it("holds no unary call whose request_id nobody but the server knows", async () => {
    const { world, guest } = await agent(() => ({ life: "l", events: eventsOf(1, 1, 2), isOver: true }));
    for (let n = 0; n < 3; n++) await world.core.send(me, message("a", "hi"), forever);
    const names = guest.sessions.flatMap(({ received }) =>
      received.filter(({ type }) => type === "message").map(({ payload }) => payload["run_life"]),
    );
    expect(names).toEqual([undefined, undefined, undefined]);
  });
});
