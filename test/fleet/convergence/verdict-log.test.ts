import { describe, expect, it } from "vitest";
import type { VerdictEntry } from "../../../src/fleet/convergence/facts.ts";
import { isRecorded, VerdictLog } from "../../../src/fleet/convergence/verdict-log.ts";

/** A log whose store answers at once, and what it wrote. */
function startLog(works: () => boolean = () => true) {
  const written: VerdictEntry[] = [];
  const begun: VerdictEntry[] = [];
  const log = new VerdictLog({ record: (entry) => void begun.push(entry) });
  /** The store answers everything that was begun by now. */
  const answer = (now: number) => {
    for (let entry = begun.shift(); entry !== undefined; entry = begun.shift()) {
      if (works()) {
        written.push(entry);
        log.recorded(now);
      } else log.failed(now);
    }
  };
  return { log, written, begun, answer };
}

const verdict = (revision: number, bootId: string, outcome: "applied" | "refused" = "applied") =>
  ({ revision, outcome, reason: "", bootId }) as const;

describe("the log of verdicts", () => {
  it("writes the store seldom for a guest that comes back as another boot all the time, and keeps its last word", () => {
    const { log, written, answer } = startLog();
    let now = 5_000;
    for (let boot = 0; boot < 1_000; boot++) {
      log.note(verdict(1, `b${boot}`, boot % 2 ? "applied" : "refused"), now);
      answer(now);
      now += 100;
      log.tick(now);
      answer(now);
    }
    // 100 seconds.
    expect(written.length).toBeGreaterThan(16);
    expect(written.length).toBeLessThanOrEqual(16 + 11);
    for (let at = log.nextWake; at !== undefined; at = log.nextWake) {
      log.tick(at);
      answer(at);
    }
    expect(written.length).toBeLessThanOrEqual(16 + 12);
    expect(written.at(-1)).toMatchObject({ bootId: "b999" });
  });

  it("writes a revision's first verdict at once, however many revisions there are", () => {
    const { log, written, answer } = startLog();
    for (let revision = 1; revision <= 100; revision++) {
      log.note(verdict(revision, "b"), 0);
      answer(0);
    }
    expect(written.map(({ revision }) => revision)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
  });

  it("writes one at a time, and what was said twice in a row once", () => {
    const { log, written, begun, answer } = startLog();
    log.note(verdict(1, "b"), 0);
    log.note(verdict(1, "b"), 0);
    log.note(verdict(2, "b"), 0);
    expect(begun).toHaveLength(1);
    answer(0);
    expect(written.map(({ revision }) => revision)).toEqual([1, 2]);
  });

  it("tries again after 10 s what could not be written", () => {
    let works = false;
    const { log, written, answer } = startLog(() => works);
    log.note(verdict(1, "b"), 0);
    answer(0);
    expect(log.nextWake).toBe(10_000);
    works = true;
    log.tick(9_999);
    answer(9_999);
    expect(written).toEqual([]);
    log.tick(10_000);
    answer(10_000);
    expect(written).toHaveLength(1);
    expect(log.nextWake).toBeUndefined();
  });

  it("keeps 16 that wait, and the one under way beside them", () => {
    const { log, written, begun, answer } = startLog();
    for (let revision = 1; revision <= 40; revision++) log.note(verdict(revision, "b"), 0);
    expect(begun).toHaveLength(1);
    answer(0);
    expect(written.map(({ revision }) => revision)).toEqual([
      1,
      ...Array.from({ length: 16 }, (_, n) => n + 25),
    ]);
  });

  it("knows nothing of the agent before once that was created again", () => {
    const { log, written, begun, answer } = startLog();
    log.note(verdict(3, "b"), 0);
    answer(0);
    log.note(verdict(4, "b"), 0);
    log.forget();
    log.note(verdict(3, "b"), 0);
    expect(begun).toHaveLength(1);
    answer(0);
    expect(written.map(({ revision }) => revision)).toEqual([3, 4, 3]);
  });

  it("writes again what differs from the last in its revision, its outcome or its boot", () => {
    const { log, written, answer } = startLog();
    const said = [
      verdict(1, "b"),
      verdict(1, "c"),
      verdict(1, "c", "refused"),
      verdict(2, "c", "refused"),
      verdict(1, "c", "refused"),
    ];
    for (const one of said) {
      log.note(one, 0);
      log.note(one, 0);
      answer(0);
    }
    expect(written).toEqual(said);
  });

  it("drops what waits for room as soon as there is another word on the same revision", () => {
    const { log, written, begun, answer } = startLog();
    log.note(verdict(1, "a"), 0);
    log.note(verdict(2, "b"), 0);
    log.note(verdict(2, "c"), 0);
    log.note(verdict(1, "d"), 0);
    expect(begun).toEqual([verdict(1, "a")]);
    answer(0);
    expect(written).toEqual([verdict(1, "a"), verdict(2, "c"), verdict(1, "d")]);
  });

  it("has room for 16 more words on a revision, and for another one every 10 s, 16 at most", () => {
    const { log, written, answer } = startLog();
    let boot = 0;
    const say = (times: number, now: number) => {
      for (let i = 0; i < times; i++) {
        log.note(verdict(1, `b${++boot}`), now);
        answer(now);
      }
    };
    say(17, 5_000);
    expect([written.length, log.nextWake]).toEqual([17, undefined]);
    say(1, 5_000);
    expect([written.length, log.nextWake]).toEqual([17, 15_000]);
    log.tick(14_999);
    answer(14_999);
    expect(written).toHaveLength(17);
    log.tick(15_000);
    answer(15_000);
    expect([written.length, log.nextWake]).toEqual([18, undefined]);
    say(20, 1e7);
    expect(written).toHaveLength(18 + 16);
  });

  it("counts the time that fills its room from the first word that needed some", () => {
    const { log, written, answer } = startLog();
    for (let boot = 0; boot < 18; boot++) {
      log.note(verdict(1, `b${boot}`), 1e7);
      answer(1e7);
    }
    expect(written).toHaveLength(17);
  });

  it("has nothing to wake up for while the store answers", () => {
    const { log, begun } = startLog();
    log.note(verdict(1, "a"), 0);
    log.tick(1e6);
    expect([begun.length, log.nextWake]).toEqual([1, undefined]);
    log.failed(5);
    expect(log.nextWake).toBe(10_005);
    log.note(verdict(2, "a"), 6);
    expect([begun.length, log.nextWake]).toEqual([2, undefined]);
  });

  it("takes no notice of an answer that it did not wait for", () => {
    const { log, written, answer } = startLog();
    log.recorded(0);
    log.tick(0);
    log.note(verdict(1, "a"), 0);
    answer(0);
    expect([written, log.nextWake]).toEqual([[verdict(1, "a")], undefined]);
  });
});

it("the store has a verdict if its outcome and its boot are the same", () => {
  const stored = { outcome: "applied", reason: "", bootId: "b", time: new Date(0) } as const;
  expect(isRecorded(stored, verdict(1, "b"))).toBe(true);
  expect(isRecorded(stored, verdict(1, "c"))).toBe(false);
  expect(isRecorded(stored, verdict(1, "b", "refused"))).toBe(false);
});
