import { describe, expect, it, onTestFinished } from "vitest";
import { emptyJournal, Journal } from "../../../agent/runs/journal.ts";
import type { UnknownObject } from "../../../protocol/wire/frame.ts";
import type { Exchange, FakeHost } from "../fake-host.ts";
import { type ModelCall, startModel } from "../fake-model.ts";
import { launch, letIn, setup, userSays } from "../setup.ts";

/** A message that attaches, with what the host has seen of the run. */
const resume = (host: FakeHost, after: number, more: object): Exchange =>
  host.message({ role: "", content: "", request_id: "r", after_sequence: after, ...more });

/** Begins the run `r`; the payloads of `opened` and of as many pieces. */
async function begin(host: FakeHost, next: () => Promise<ModelCall>, pieces: readonly string[]) {
  const exchange = host.message(userSays("hi", { request_id: "r", on_disconnect: "continue" }));
  const call = await next();
  call.text(...pieces);
  const opened = await exchange.next("opened");
  const events: UnknownObject[] = [];
  for (const _ of pieces) events.push(await exchange.next("chunk"));
  return { exchange, call, opened, events };
}

const seenOf = ({ sequence, mark }: UnknownObject) => ({ sequence, mark });

describe("a run", () => {
  it("has a life of its own, and a mark in every event", async () => {
    const { host, model } = await setup();
    const { opened, events, call, exchange } = await begin(host, () => model.next(), ["a", "b", "b"]);
    expect(opened["life"]).toMatch(/^[0-9a-f]{20,40}$/);
    call.finish();
    events.push(await exchange.next("chunk"));
    const marks = events.map(({ mark }) => mark);
    for (const mark of marks)
      expect(mark).toSatisfy((n: number) => Number.isInteger(n) && n >= 0 && n < 2 ** 29);
    expect(new Set(marks).size).toBe(4);
  });

  it("has marks in tool calls, blocked tools and errors too", async () => {
    const { host, model } = await setup();
    const failed = host.message(userSays("hi"));
    (await model.next()).json(500, { error: { message: "no" } });
    expect((await failed.rest()).at(-1)?.payload).toMatchObject({ sequence: 1, mark: expect.any(Number) });
    const blocked = host.message(
      userSays("hi", { tools: [{ type: "function", function: { name: "look" } }] }),
    );
    expect((await blocked.rest()).at(-1)).toMatchObject({
      type: "tool_blocked",
      payload: { sequence: 1, mark: expect.any(Number) },
    });
  });

  it("is read on by one who has seen its events, whichever was the last", async () => {
    const { host, model } = await setup();
    const { opened, events, call } = await begin(host, () => model.next(), ["a", "b", "c"]);
    for (const event of events) {
      const seen = { run_life: opened["life"], run_seen: seenOf(event) };
      expect(await resume(host, 1, seen).next("opened")).toMatchObject({ attached: true, next_sequence: 2 });
    }
    call.finish();
    const whole = await resume(host, 3, { run_seen: seenOf(events[2] ?? {}) }).rest();
    expect(whole.map(({ type }) => type)).toEqual(["opened", "chunk"]);
  });

  it.each([
    ["another mark", 2, { sequence: 2, mark: 7 }],
    ["an event that it does not have yet", 2, { sequence: 67, mark: 7 }],
    ["another mark, where everything is wanted again", 0, { sequence: 2, mark: 7 }],
  ])("is lost to one who has seen %s", async (_, after, runSeen) => {
    const { host, model } = await setup();
    const { call } = await begin(host, () => model.next(), ["a", "b", "c"]);
    for (const over of [false, true]) {
      if (over) call.finish();
      const error = await resume(host, after, { run_seen: runSeen }).next("error");
      expect(error).toEqual({ code: "run_lost", message: expect.any(String) });
    }
    expect(model.calls).toBe(1);
  });

  it("is lost to one who names another life, and the message does not run", async () => {
    const { host, model } = await setup();
    await begin(host, () => model.next(), ["a"]);
    expect(await resume(host, 0, { run_life: "another" }).next("error")).toMatchObject({ code: "run_lost" });
    const given = host.message(userSays("hi", { request_id: "r", run_life: "another" }));
    expect(await given.next("error")).toMatchObject({ code: "run_lost" });
    const forgotten = host.message(userSays("hi", { request_id: "never heard of", run_life: "any" }));
    expect(await forgotten.next("error")).toMatchObject({ code: "run_unknown" });
    expect(model.calls).toBe(1);
  });

  it("is the same message whatever the host has seen of it", async () => {
    const { host, model } = await setup();
    const { opened, events } = await begin(host, () => model.next(), ["a"]);
    const known = { run_life: opened["life"], run_seen: seenOf(events[0] ?? {}) };
    const again = host.message(userSays("hi", { request_id: "r", ...known }));
    expect(await again.next("opened")).toMatchObject({ attached: true, life: opened["life"] });
  });

  it("whose journal dropped the seen event is still told apart by the latest one dropped", async () => {
    const { host, model } = await setup({ bounds: { journalRunBytes: 300 } });
    const { events } = await begin(host, () => model.next(), ["a", "b", "c", "d", "e"]);
    const codes = [];
    for (const event of events) {
      for (const mark of [event["mark"], 7]) {
        const exchange = resume(host, 5, { run_seen: { sequence: event["sequence"], mark } });
        const frame = await exchange.frames.take();
        codes.push(frame.type === "opened" ? "opened" : frame.payload["code"]);
      }
    }
    expect(codes).toContain("run_trimmed");
    expect(codes.slice(-4)).toEqual(["opened", "run_lost", "opened", "run_lost"]);
    expect(codes.filter((_, i) => i % 2 === 1)).not.toContain("opened");
  });

  it.each([{ run_life: 7 }, { run_life: "x".repeat(513) }, { run_seen: [] }, { run_seen: { sequence: -1 } }])(
    "is not asked for by %j",
    async (wrong) => {
      const { host } = await setup();
      const error = await host.message(userSays("hi", wrong)).next("error");
      expect(error).toMatchObject({ code: "invalid_message", message: expect.stringMatching(/run_/) });
    },
  );
});

describe("a guest that forgot a request and runs it anew", () => {
  it("tells the second run from the first by its life", async () => {
    const model = await startModel();
    onTestFinished(() => model.close());
    const lives = [];
    for (let boot = 0; boot < 2; boot++) {
      const agent = await launch(model);
      const { opened } = await begin(await letIn(agent), () => model.next(), ["a"]);
      lives.push(opened["life"]);
      agent.kill();
    }
    expect(lives[0]).not.toBe(lives[1]);
  });
});

describe("marks in a journal", () => {
  it("of dropped events are known for the latest one alone", () => {
    const journal = new Journal({ bytes: 0 }, emptyJournal(5));
    for (const mark of [11, 12, 13]) journal.append("chunk", "{}", mark);
    expect([journal.has(0, 5), journal.has(0, 6), journal.has(3, 13), journal.has(3, 12)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(journal.has(4, 13)).toBe(false);
    journal.dropOldest();
    journal.dropOldest();
    expect([journal.has(1, 11), journal.has(2, 12), journal.has(2, 11)]).toEqual([undefined, true, false]);
  });
});
