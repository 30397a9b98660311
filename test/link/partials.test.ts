import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PartialBudget } from "../../src/link/partials.ts";
import { limits } from "../../protocol/wire/limits.ts";

const MIB = 1024 * 1024;
const FRAME = limits.frameBytes;

function link(name: string, closed: string[]) {
  return { close: () => void closed.push(name) };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("incomplete frames of all guests", () => {
  it("count what they take now, until they are complete", () => {
    const budget = new PartialBudget();
    const a = link("a", []);
    budget.hold(a, 64 * 1024, FRAME);
    budget.hold(a, MIB, FRAME);
    expect(budget.total).toBe(MIB);
    budget.hold(a, 0, FRAME);
    budget.hold(a, 0, FRAME);
    expect(budget.total).toBe(0);
  });

  it("beyond 80 % of the budget give way to a new large one if they are slow, the oldest first", () => {
    const budget = new PartialBudget();
    const closed: string[] = [];
    for (let i = 0; i < 13; i++) budget.hold(link(`${i}`, closed), 4 * MIB, FRAME);
    vi.advanceTimersByTime(6_000);
    budget.hold(link("new", closed), 64 * 1024, FRAME);
    expect(closed).toEqual(["0"]);
    expect(budget.total).toBe(12 * 4 * MIB + 64 * 1024);
  });

  it("beyond 80 % of the budget let no new large one begin if none is slow", () => {
    const budget = new PartialBudget();
    const closed: string[] = [];
    for (let i = 0; i < 13; i++) budget.hold(link(`${i}`, closed), 4 * MIB, FRAME);
    expect(() => budget.hold(link("new", closed), 64 * 1024, FRAME)).toThrow(
      "incomplete frames of all guests",
    );
    budget.hold(link("small", closed), 1_000, 1_000);
    expect(closed).toEqual([]);
  });

  it("beyond 95 % of the budget lose the largest, and never this bound", () => {
    const budget = new PartialBudget();
    const closed: string[] = [];
    const owners = Array.from({ length: 120 }, (_, i) => link(`${i}`, closed));
    for (const owner of owners) budget.hold(owner, 64 * 1024, FRAME);
    for (let bytes = 128 * 1024; bytes <= FRAME; bytes *= 2)
      for (const [i, owner] of owners.entries()) {
        if (closed.includes(`${i}`)) continue;
        try {
          budget.hold(owner, bytes, FRAME);
        } catch {
          closed.push(`${i}`);
        }
        expect(budget.total).toBeLessThanOrEqual(limits.partialTotalBytes * 0.95);
      }
    expect(closed.length).toBeGreaterThan(0);
    expect(closed.length).toBeLessThan(120);
  });
});
