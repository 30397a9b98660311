import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ReadTurns } from "../../src/link/turns.ts";
import { limits } from "../../protocol/wire/limits.ts";
import type { Decoded, Waiting } from "../../protocol/wire/reader.ts";

const LARGE = 64 * 1024;
const SMALL = 100;

/** The real clock, whatever a test fakes: what waits may have its slice in another test. */
const realNow = performance.now.bind(performance);

/** Keeps the processor busy. */
function work(ms: number): void {
  const end = realNow() + ms;
  while (realNow() < end);
}

/** What a turn of somebody's took, if it is asked for nothing else. */
const little: Decoded = { frames: 1, bytes: 100, ms: 1 };

/** One that holds work for so many slices of a millisecond, each of which takes so much of the turn. */
function busy(turns: ReadTurns, name: string, slices: number, log: string[], takes = little): Waiting {
  let left = slices;
  const waiting: Waiting = {
    serve() {
      work(1);
      log.push(name);
      if (--left > 0) turns.hold(waiting, LARGE);
      return takes;
    },
  };
  return waiting;
}

/** One that is to read on. */
function resting(name: string, log: string[]): Waiting {
  return {
    serve() {
      log.push(name);
      return { frames: 0, bytes: 0, ms: 0 };
    },
  };
}

async function untilDone(turns: ReadTurns): Promise<void> {
  while (turns.waiting > 0) await nextTurn();
}

afterEach(() => {
  vi.useRealTimers();
});

describe("the turns of links", () => {
  it("let a link read at once while little is done", () => {
    const turns = new ReadTurns();
    for (let i = 0; i < 1_000; i++) {
      const now = performance.now();
      expect(turns.until(LARGE, now)).toBeGreaterThan(now);
      turns.used({ frames: 0, bytes: 0, ms: 0 });
    }
  });

  it("go round by link", async () => {
    const turns = new ReadTurns();
    const log: string[] = [];
    for (const name of ["a", "b", "c"]) turns.hold(busy(turns, name, 5, log), LARGE);
    await untilDone(turns);
    expect(log.join("")).toBe("abc".repeat(5));
  });

  it("come first to a link with little to read, and still come to the others", async () => {
    const turns = new ReadTurns();
    const log: string[] = [];
    for (let i = 0; i < 10; i++) turns.hold(busy(turns, "F", 20, log), LARGE);
    turns.hold(busy(turns, "q", 1, log), SMALL);
    await untilDone(turns);
    expect(log.indexOf("q")).toBeLessThan(3);

    log.length = 0;
    turns.hold(busy(turns, "F", 1, log), LARGE);
    for (let i = 0; i < 50; i++) turns.hold(busy(turns, "q", 1, log), SMALL);
    await untilDone(turns);
    expect(log.indexOf("F")).toBeLessThan(6);
  });

  it("leave the loop to others after a few milliseconds, and are served again in the next turn", async () => {
    const turns = new ReadTurns();
    const log: string[] = [];
    for (let i = 0; i < 64; i++) turns.hold(busy(turns, "F", 3, log), LARGE);
    const perTurn: number[] = [];
    while (turns.waiting > 0) {
      const before = log.length;
      await nextTurn();
      perTurn.push(log.length - before);
    }
    expect(log).toHaveLength(3 * 64);
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(limits.readSlicesMs + 1);
    // The first turn began when they came.
    expect(perTurn.slice(1).filter((slices) => slices === 0)).toEqual([]);
  });

  it("have a large read wait once the time is used, a small one later", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const turns = new ReadTurns();
    turns.used(little);
    expect(turns.until(LARGE, performance.now())).toBeGreaterThan(0);
    vi.advanceTimersByTime(limits.readSlicesMs);
    expect(turns.until(LARGE, performance.now())).toBe(0);
    expect(turns.until(SMALL, performance.now())).toBeGreaterThan(0);
    vi.advanceTimersByTime(limits.readTurnMs);
    expect(turns.until(SMALL, performance.now())).toBe(0);
    await nextTurn();
    expect(turns.until(LARGE, performance.now())).toBeGreaterThan(0);
  });

  it("have a large read wait behind those that wait already", async () => {
    const turns = new ReadTurns();
    turns.hold(busy(turns, "F", 1, []), LARGE);
    expect(turns.until(LARGE, performance.now())).toBe(0);
    expect(turns.until(SMALL, performance.now())).toBeGreaterThan(0);
    await untilDone(turns);
  });

  it("decode no more frames, and no more bytes, than a turn has", async () => {
    for (const takes of [
      { frames: limits.readTurnFrames / 4, bytes: 0, ms: 0 },
      { frames: 0, bytes: limits.readTurnBytes / 4, ms: 0 },
    ]) {
      vi.useFakeTimers({ toFake: ["performance"] });
      const turns = new ReadTurns();
      const log: string[] = [];
      for (let i = 0; i < 12; i++) turns.hold(busy(turns, "F", 1, log, takes), LARGE);
      const perTurn: number[] = [];
      while (turns.waiting > 0) {
        const before = log.length;
        await nextTurn();
        perTurn.push(log.length - before);
      }
      expect(perTurn.filter((slices) => slices > 0)).toEqual([4, 4, 4]);
      vi.useRealTimers();
    }
  });

  it("have a large read wait once a turn's frames or bytes are used, a small one not", async () => {
    for (const takes of [
      { frames: limits.readTurnFrames, bytes: 0, ms: 0 },
      { frames: 0, bytes: limits.readTurnBytes, ms: 0 },
    ]) {
      const turns = new ReadTurns();
      turns.used(takes);
      expect(turns.until(LARGE, performance.now())).toBe(0);
      expect(turns.until(SMALL, performance.now())).toBeGreaterThan(0);
      await nextTurn();
      expect(turns.until(LARGE, performance.now())).toBeGreaterThan(0);
    }
  });

  it("let a link whose read was small read on, and one whose read was large while nobody waits", async () => {
    const turns = new ReadTurns();
    const log: string[] = [];
    expect(turns.rest(resting("a", log), LARGE)).toBe(false);
    turns.hold(busy(turns, "F", 1, log), LARGE);
    expect(turns.rest(resting("b", log), SMALL)).toBe(false);
    expect(turns.rest(resting("c", log), LARGE)).toBe(true);
    await untilDone(turns);
    expect(log).toEqual(["F", "c"]);
  });

  it("let one that is alone decode more frames at once than one among others", async () => {
    const turns = new ReadTurns();
    expect(turns.mostFrames).toBe(limits.readAloneFrames);
    turns.hold(busy(turns, "F", 1, []), LARGE);
    expect(turns.mostFrames).toBe(limits.readSliceFrames);
    await untilDone(turns);
  });

  it("let links read on only when nobody holds anything, and as many in a turn as it may decode bytes of", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const turns = new ReadTurns();
    const log: string[] = [];
    turns.hold(busy(turns, "F", 2, log), LARGE);
    const names = Array.from({ length: 20 }, (_, i) => `r${i}`);
    for (const name of names) expect(turns.rest(resting(name, log), LARGE)).toBe(true);
    const perTurn: string[][] = [];
    while (turns.waiting > 0) {
      perTurn.push(log.splice(0));
      await nextTurn();
    }
    perTurn.push(log);
    const atOnce = limits.readTurnBytes / LARGE;
    expect(perTurn.filter((served) => served.length > 0)).toEqual([
      ["F", "F", ...names.slice(0, atOnce)],
      names.slice(atOnce, 2 * atOnce),
      names.slice(2 * atOnce),
    ]);
  });
});
