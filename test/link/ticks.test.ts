import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Ticks } from "../../src/link/ticks.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** One that remembers when it was looked at. */
class Watched {
  readonly at: number[] = [];
  tick(now: number): void {
    this.at.push(now);
  }
}

describe("the clocks of links", () => {
  it("are looked at once a second, for the first time after one", () => {
    const ticks = new Ticks();
    const watched = new Watched();
    const start = performance.now();
    ticks.add(watched);
    vi.advanceTimersByTime(3_500);
    expect(watched.at.map((at) => at - start)).toEqual([1_000, 2_000, 3_000]);
  });

  it("are looked at by one timer, which is there while it has somebody to serve", () => {
    const ticks = new Ticks();
    const all = Array.from({ length: 1_000 }, () => new Watched());
    const slots = all.map((each) => ticks.add(each));
    expect(vi.getTimerCount()).toBe(1);
    all.forEach((each, i) => {
      expect(ticks.size).toBe(1_000 - i);
      ticks.delete(each, slots[i] ?? -1);
    });
    expect([ticks.size, vi.getTimerCount()]).toEqual([0, 0]);
    vi.advanceTimersByTime(2_000);
    expect(all.every(({ at }) => at.length === 0)).toBe(true);
  });

  it("are not all looked at at once if they came one after the other", () => {
    const ticks = new Ticks();
    const all = Array.from({ length: 20 }, () => {
      const watched = new Watched();
      ticks.add(watched);
      vi.advanceTimersByTime(50);
      return watched;
    });
    vi.advanceTimersByTime(2_000);
    expect(new Set(all.map(({ at }) => at[0])).size).toBe(20);
    for (const { at } of all) expect((at[1] ?? 0) - (at[0] ?? 0)).toBe(1_000);
  });

  it("may be given up from within, and twice", () => {
    const ticks = new Ticks();
    const other = new Watched();
    const mine = { tick: () => ticks.delete(mine, slot) };
    const slot: number = ticks.add(mine);
    ticks.add(other);
    vi.advanceTimersByTime(2_000);
    ticks.delete(mine, slot);
    expect([ticks.size, other.at.length]).toEqual([1, 2]);
  });
});
