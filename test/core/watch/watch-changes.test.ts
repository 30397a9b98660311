import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Changes } from "../../../src/core/watch/watch-changes.ts";

const forever = new AbortController().signal;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("the changes of a watcher", () => {
  it("hold one entry for each agent, and nothing past the bound", () => {
    const changes = new Changes(0, 10_000);
    for (let round = 0; round < 3; round++) for (let i = 0; i < 10_000; i++) changes.changed(`agent-${i}`);
    expect(changes.lost).toBeUndefined();
    expect(changes.take()).toHaveLength(10_000);
    for (let i = 0; i < 10_001; i++) changes.changed(`agent-${i}`);
    expect(changes.lost).toContain("too slow");
    expect(changes.take()).toEqual([]);
    changes.changed("one-more");
    expect(changes.take()).toEqual([]);
    changes.clear();
    changes.removed("news");
    expect(changes.take()).toEqual(["news"]);
  });

  it("that come within the time to gather are due together, counted from the first", () => {
    const changes = new Changes(100, 10);
    expect(changes.dueMs()).toBeUndefined();
    changes.changed("a");
    vi.advanceTimersByTime(60);
    changes.removed("b");
    expect(changes.dueMs()).toBe(40);
    vi.advanceTimersByTime(60);
    expect(changes.dueMs()).toBe(0);
    expect(changes.take()).toEqual(["a", "b"]);
    expect(changes.dueMs()).toBeUndefined();
  });

  it("wake a watcher at the first one, and at none after it", async () => {
    const changes = new Changes(100, 10);
    let woken = 0;
    const waiting = changes.wait(10_000, forever).then(() => woken++);
    changes.changed("a");
    await waiting;
    void changes.wait(10_000, forever).then(() => woken++);
    changes.changed("b");
    await vi.advanceTimersByTimeAsync(9_000);
    expect(woken).toBe(1);
  });

  it("that were lost keep no watcher waiting", async () => {
    const changes = new Changes(100, 10);
    changes.resync("the store was away");
    expect(changes.lost).toBe("the store was away");
    await changes.wait(10_000, forever);
  });
});
