import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Dials } from "../../src/link/dials.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { forever } from "./connect.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Begins as many as may be begun at once. */
function fill(dials: Dials): (() => void)[] {
  const ends: (() => void)[] = [];
  for (let end = dials.begin(); end !== undefined; end = dials.begin()) ends.push(end);
  return ends;
}

describe("dialling", () => {
  it("is bounded, and goes on when an attempt is over", async () => {
    const dials = new Dials();
    const ends = fill(dials);
    expect(ends).toHaveLength(limits.dialsAtOnce);
    const { turn } = dials.wait(forever);
    expect(dials.waiting).toBe(1);
    ends[0]?.();
    ends[0]?.();
    await turn;
    expect(fill(dials)).toHaveLength(1);
  });

  it("waits a second at most for guests that accept and say nothing", async () => {
    const dials = new Dials();
    fill(dials);
    const { turn } = dials.wait(forever);
    await vi.advanceTimersByTimeAsync(limits.dialYoungMs);
    await turn;
    expect(fill(dials)).toHaveLength(limits.dialsAtOnce);
  });

  it("lets a link that a request waits for go first", async () => {
    const dials = new Dials();
    const ends = fill(dials);
    const woken: string[] = [];
    for (const name of ["a", "b", "c"]) {
      const ticket = dials.wait(forever);
      void ticket.turn.then(() => woken.push(name));
      if (name === "c") ticket.hurry();
    }
    for (const end of ends.slice(0, 3)) end();
    await vi.advanceTimersByTimeAsync(0);
    expect(woken).toEqual(["c", "a", "b"]);
  });

  it("is not waited for by a link that is closed", async () => {
    const dials = new Dials();
    fill(dials);
    const stop = new AbortController();
    const { turn } = dials.wait(stop.signal);
    stop.abort();
    await turn;
    expect(dials.waiting).toBe(0);
  });
});
