import { describe, expect, it } from "vitest";
import { EVENT_OVERHEAD, emptyJournal, Journal, RUN_OVERHEAD } from "../../../agent/runs/journal.ts";
import { textOf } from "../fake-host.ts";
import { setup, userSays } from "../setup.ts";

const attach = (requestId: string, afterSequence = 0, more: object = {}) => ({
  role: "",
  content: "",
  request_id: requestId,
  after_sequence: afterSequence,
  ...more,
});

const KIB = "x".repeat(1024);

describe("the journal of a run", () => {
  it("drops its oldest events if nobody reads, and the run goes on", async () => {
    const { host, model } = await setup({ bounds: { journalRunBytes: 10_000 } });
    const exchange = host.message(userSays("hi", { request_id: "r", on_disconnect: "continue" }));
    const call = await model.next();
    await host.status("running");
    exchange.detach();
    await host.ask("ping", {});
    for (let i = 0; i < 50; i++) call.text(KIB);
    call.finish();
    await host.status("ready");
    expect(await host.message(attach("r")).next("error")).toMatchObject({ code: "run_trimmed" });
    expect(await host.message(attach("r", 30)).next("error")).toMatchObject({ code: "run_trimmed" });
    const late = host.message(attach("r", 45));
    expect(await late.next("opened")).toMatchObject({ next_sequence: 46 });
    const frames = await late.rest();
    expect(textOf(frames)).toHaveLength(5 * 1024);
    expect(frames.at(-1)?.payload).toMatchObject({ done: true, sequence: 51 });
  });

  it("drops what a reader has taken, so that a run may be longer than its journal", async () => {
    const { host, model } = await setup({ bounds: { journalRunBytes: 10_000 } });
    const exchange = host.message(userSays("hi", { request_id: "r" }));
    const call = await model.next();
    for (let i = 0; i < 50; i++) call.text(KIB);
    call.finish();
    expect(textOf(await exchange.rest())).toHaveLength(50 * 1024);
    expect(await host.message(attach("r")).next("error")).toMatchObject({ code: "run_trimmed" });
  });

  it("is not waited for by a faster reader: the slow one loses its place", async () => {
    const { host, model } = await setup({ bounds: { journalRunBytes: 10_000 } });
    const slow = host.message(userSays("hi", { request_id: "r", credit: 1 }));
    const call = await model.next();
    await slow.next("opened");
    const fast = host.message(attach("r"));
    await fast.next("opened");
    for (let i = 0; i < 50; i++) call.text(KIB);
    call.finish();
    expect(textOf(await fast.rest())).toHaveLength(50 * 1024);
    const error = await slow.next("error");
    expect(error).toMatchObject({ code: "run_trimmed" });
    expect(error).not.toHaveProperty("sequence");
  });

  it("of a run that waits for its reader goes on when the reader leaves", async () => {
    const { host, model } = await setup({ bounds: { journalRunBytes: 10_000 } });
    const stuck = host.message(userSays("hi", { request_id: "r", credit: 1, on_disconnect: "continue" }));
    const call = await model.next();
    for (let i = 0; i < 50; i++) call.text(KIB);
    call.finish();
    await stuck.next("opened");
    stuck.detach();
    let last;
    do last = (await host.message(attach("r", 45)).rest()).at(-1)?.payload;
    while (last?.["done"] !== true);
    expect(last).toMatchObject({ sequence: 51 });
  });
});

describe("all journals together", () => {
  const bounds = { journalRunBytes: 100_000, journalAgentBytes: 26_000 };

  it("lose the ones of ended runs first, the oldest before others", async () => {
    const { host, model } = await setup({ bounds });
    for (const id of ["r1", "r2", "r3"]) {
      const exchange = host.message(userSays("hi", { request_id: id }));
      const call = await model.next();
      for (let i = 0; i < 7; i++) call.text(KIB);
      call.finish();
      await exchange.rest();
    }
    expect(await host.message(attach("r1")).next("error")).toMatchObject({ code: "run_trimmed" });
    expect(textOf(await host.message(attach("r2")).rest())).toHaveLength(7 * 1024);
    expect(textOf(await host.message(attach("r3")).rest())).toHaveLength(7 * 1024);
  });

  it("count short runs for what they take", async () => {
    const { host, model } = await setup({ bounds });
    for (let n = 0; n < 15; n++) {
      const exchange = host.message(userSays("hi", { request_id: `r${n}` }));
      (await model.next()).finish();
      await exchange.rest();
    }
    expect(await host.message(attach("r0")).next("error")).toMatchObject({ code: "run_trimmed" });
    expect(await host.message(attach("r14")).next("opened")).toMatchObject({ attached: true });
  });

  it("being full of what readers still want, let no new message in, until they take it", async () => {
    const { host, model } = await setup({ bounds });
    const stuck = host.message(userSays("hi", { credit: 1 }));
    const call = await model.next();
    for (let i = 0; i < 30; i++) call.text(KIB);
    call.finish();
    let refused;
    for (let n = 0; refused === undefined; n++) {
      // Attaches nowhere and runs nothing: only asks whether there is room.
      const exchange = host.message(userSays("more", { request_id: `m${n}` }));
      const frame = await exchange.frames.take();
      if (frame.type === "error") refused = frame.payload;
      else (await model.next()).finish();
    }
    expect(refused).toMatchObject({ code: "busy" });
    expect(refused).not.toHaveProperty("sequence");
    stuck.credit(1e9);
    expect(textOf(await stuck.rest())).toHaveLength(30 * 1024);
    const exchange = host.message(userSays("more", { request_id: "again" }));
    const last = await model.next();
    last.text("a");
    last.finish();
    expect((await exchange.rest()).at(-1)?.payload).toMatchObject({ done: true });
  });
});

describe("runs in flight", () => {
  it("are bounded, and one that ends makes room", async () => {
    const { host, model } = await setup({ bounds: { runsInFlight: 2 } });
    const first = host.message(userSays("hi"));
    host.message(userSays("hi"));
    const call = await model.next();
    await model.next();
    expect(await host.message(userSays("hi")).next("error")).toMatchObject({ code: "busy" });
    call.finish();
    await first.rest();
    expect(await host.message(userSays("hi")).next("opened")).toMatchObject({ attached: false });
  });

  it("may be attached to when there is no room for more", async () => {
    const { host, model } = await setup({ bounds: { runsInFlight: 1 } });
    host.message(userSays("hi", { request_id: "r" }));
    await model.next();
    expect(await host.message(userSays("hi", { request_id: "r" })).next("opened")).toMatchObject({
      attached: true,
    });
  });
});

describe("a link", () => {
  it("has a bounded number of exchanges", async () => {
    const { host, model } = await setup({ bounds: { exchanges: 2 } });
    host.message(userSays("hi", { request_id: "r" }));
    await model.next();
    host.message(attach("r"));
    expect(await host.message(attach("r")).next("error")).toMatchObject({ code: "busy" });
  });
});

describe("Journal", () => {
  it("keeps numbers and bytes through many drops", () => {
    const total = { bytes: 0 };
    const journal = new Journal(total, emptyJournal(0));
    for (let n = 1; n <= 1_000; n++) {
      journal.append("chunk", `{"n":${n}}`, n);
      if (n > 10) journal.dropOldest();
      expect([journal.first, journal.next]).toEqual([Math.max(1, n - 9), n + 1]);
    }
    expect(journal.event(990)).toBeUndefined();
    expect(journal.event(991)).toMatchObject({ json: `{"n":991}` });
    expect(journal.event(1_000)).toMatchObject({ json: `{"n":1000}` });
    expect(journal.event(1_001)).toBeUndefined();
    expect(journal.bytes).toBe(10 * EVENT_OVERHEAD + 9 * 9 + 10);
    expect(total.bytes).toBe(journal.bytes + RUN_OVERHEAD);
    journal.release();
    expect([journal.first, journal.next, journal.bytes, total.bytes]).toEqual([1_001, 1_001, 0, 0]);
    journal.dropOldest();
    expect(journal.first).toBe(1_001);
  });
});
