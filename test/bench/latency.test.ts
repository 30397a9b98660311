import { describe, expect, it } from "vitest";
import { Latencies, latencyFigures, quantile } from "../../bench/latency.ts";

describe("quantile", () => {
  it("is the least value that the share of all values does not exceed", () => {
    const sorted = Array.from({ length: 200 }, (_, index) => index + 1);
    expect(quantile(sorted, 0.5)).toBe(100);
    expect(quantile(sorted, 0.99)).toBe(198);
    expect(quantile(sorted, 0.999)).toBe(200);
    expect(quantile(sorted, 1)).toBe(200);
    expect(quantile(sorted, 0)).toBe(1);
  });

  it("is the only value of one, and NaN of none", () => {
    expect(quantile([7], 0.99)).toBe(7);
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe("latencyFigures", () => {
  it("takes times in any order, as numbers and not as text", () => {
    expect(latencyFigures([10, 9, 100])).toEqual({ p50: 10, p99: 100, most: 100 });
    expect(latencyFigures([])).toBeUndefined();
  });
});

describe("Latencies", () => {
  it("forgets what it has told", () => {
    const latencies = new Latencies();
    latencies.add(3);
    expect(latencies.take()).toEqual({ p50: 3, p99: 3, most: 3 });
    expect(latencies.take()).toBeUndefined();
    latencies.add(5);
    expect(latencies.take()?.most).toBe(5);
  });
});
