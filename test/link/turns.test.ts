import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ReadTurns } from "../../src/link/turns.ts";
import { limits } from "../../protocol/wire/limits.ts";
import type { Waiting } from "../../protocol/wire/reader.ts";

const LARGE = 64 * 1024;
const SMALL = 100;

/** The real clock, whatever a test fakes: what waits may have its slice in another test. */
const realNow = performance.now.bind(performance);

/** Keeps the processor busy. */
function work(ms: number): void {
  const end = realNow() + ms;
  while (realNow() < end);
}

/** One that has work for so many slices of a millisecond. */
function busy(name: string, slices: number, log: string[]): Waiting {
  let left = slices;
  return {
    slice() {
      work(1);
      log.push(name);
      return --left > 0;
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
      turns.used(0);
    }
  });

  it("go round by link", async () => {
    const turns = new ReadTurns();
    const log: string[] = [];
    for (const name of ["a", "b", "c"]) turns.wait(busy(name, 5, log), LARGE);
    await untilDone(turns);
    expect(log.join("")).toBe("abc".repeat(5));
  });

  it("come first to a link with little to read, and still come to the others", async () => {
    const turns = new ReadTurns();
    const log: string[] = [];
    for (let i = 0; i < 10; i++) turns.wait(busy("F", 20, log), LARGE);
    turns.wait(busy("q", 1, log), SMALL);
    await untilDone(turns);
    expect(log.indexOf("q")).toBeLessThan(3);

    log.length = 0;
    turns.wait(busy("F", 1, log), LARGE);
    for (let i = 0; i < 50; i++) turns.wait(busy("q", 1, log), SMALL);
    await untilDone(turns);
    expect(log.indexOf("F")).toBeLessThan(6);
  });

  it("leave the loop to others after a few milliseconds, and are served again in the next turn", async () => {
    const turns = new ReadTurns();
    const log: string[] = [];
    for (let i = 0; i < 64; i++) turns.wait(busy("F", 3, log), LARGE);
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
    turns.used(1);
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
    turns.wait(busy("F", 1, []), LARGE);
    expect(turns.until(LARGE, performance.now())).toBe(0);
    expect(turns.until(SMALL, performance.now())).toBeGreaterThan(0);
    await untilDone(turns);
  });
});
