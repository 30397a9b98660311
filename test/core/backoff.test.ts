import { describe, expect, it } from "vitest";
import { backoffMs } from "../../src/core/backoff.ts";

describe("the pause between tries at the store", () => {
  it("is random, its bound doubling from 50 ms to 5 s", () => {
    for (const [failures, bound] of [
      [0, 50],
      [1, 100],
      [4, 800],
      [7, 5_000],
      [1_000_000, 5_000],
    ] as const) {
      const waits = Array.from({ length: 200 }, () => backoffMs(failures));
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...waits)).toBeLessThan(bound);
      expect(Math.max(...waits)).toBeGreaterThan(bound / 2);
    }
  });
});
