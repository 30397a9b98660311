import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LinkLog } from "../../src/fleet/link-log.ts";

function start() {
  const lines: string[] = [];
  const log = new LinkLog({
    changed: ({ id }, up, detail) => lines.push(`${id} ${up ? "up" : "down"}: ${detail}`),
    summary: ({ id }, changes, up) =>
      lines.push(`${id} changed ${changes} times more, is ${up ? "up" : "down"}`),
  });
  const flap = (id: string, changes: number) => {
    for (let i = 0; i < changes; i++) log.changed({ tenant: "t", id }, i % 2 === 0, "x");
  };
  return { lines, log, flap };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("lines about links", () => {
  it("are written for each change of a link that seldom changes", () => {
    const { lines, flap } = start();
    for (let i = 0; i < 3; i++) {
      flap("a", 2);
      vi.advanceTimersByTime(60_000);
    }
    expect(lines).toEqual(["a up: x", "a down: x", "a up: x", "a down: x", "a up: x", "a down: x"]);
  });

  it("of a guest that flaps become one a minute that says how often, and hide no other's", () => {
    const { lines, flap } = start();
    flap("a", 1_000);
    flap("b", 1);
    expect(lines).toEqual(["a up: x", "a down: x", "a up: x", "a down: x", "b up: x"]);
    vi.advanceTimersByTime(60_000);
    expect(lines.slice(5)).toEqual(["a changed 996 times more, is down"]);
    vi.advanceTimersByTime(600_000);
    expect(lines).toHaveLength(6);
  });

  it("are written for each new reason, but not for ever", () => {
    const { lines, log, flap } = start();
    flap("a", 10);
    for (let i = 0; i < 100; i++) log.changed({ tenant: "t", id: "a" }, false, `reason ${i}`);
    expect(lines).toHaveLength(12);
    expect(lines.slice(4, 6)).toEqual(["a down: reason 0", "a down: reason 1"]);
    log.flush();
    expect(lines.at(-1)).toBe("a changed 98 times more, is down");
  });

  it("are written at the end for what was left out", () => {
    const { lines, log, flap } = start();
    flap("a", 7);
    log.flush();
    expect(lines.at(-1)).toBe("a changed 3 times more, is up");
  });

  it("have an end", () => {
    const { lines, log } = start();
    log.changed({ tenant: "t", id: "a" }, false, "y".repeat(10_000));
    expect(lines[0]?.length).toBeLessThan(400);
  });
});
