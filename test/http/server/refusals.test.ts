import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { defaultHttpLimits } from "../../../src/http/server/http-limits.ts";
import { Refusals } from "../../../src/http/server/refusals.ts";

const { refusals: IN_ROW, refusalMs: MS, refusalsPerSecond: PER_SECOND } = defaultHttpLimits;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Counts so many of connections that had none before; answers the last wait. */
function many(refusals: Refusals, count: number): number {
  let ms = 0;
  for (let i = 0; i < count; i++) ms = refusals.count(1);
  return ms;
}

test("a few refusals cost nothing, many in a row of one connection a while each", () => {
  const refusals = new Refusals(defaultHttpLimits);
  expect(refusals.count(1)).toBe(0);
  expect(refusals.count(IN_ROW)).toBe(0);
  expect(refusals.count(IN_ROW + 1)).toBe(MS);
});

test("many refusals of all connections in a second cost each of them a while that grows with their number, up to a second", () => {
  const refusals = new Refusals(defaultHttpLimits);
  expect(many(refusals, PER_SECOND)).toBe(0);
  expect(many(refusals, 1)).toBe(2 * MS);
  expect(many(refusals, 2 * PER_SECOND)).toBe(4 * MS);
  expect(many(refusals, 100 * PER_SECOND)).toBe(1_000);
});

test("what was counted holds for the second after it, and no longer", () => {
  const refusals = new Refusals(defaultHttpLimits);
  many(refusals, 3 * PER_SECOND);
  vi.advanceTimersByTime(1_000);
  expect(refusals.count(1)).toBe(3 * MS);
  vi.advanceTimersByTime(1_000);
  expect(refusals.count(1)).toBe(0);
  many(refusals, 3 * PER_SECOND);
  vi.advanceTimersByTime(2_000);
  expect(refusals.count(1)).toBe(0);
});
