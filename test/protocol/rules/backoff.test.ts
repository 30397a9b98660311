import { describe, expect, it } from "vitest";
import { longestPauseMs, pauseMs } from "../../../protocol/rules/backoff.ts";

const pace = { firstMs: 50, longestMs: 5_000 };

describe("the pause after failures", () => {
  it("has a bound that doubles with each up to the longest", () => {
    expect([0, 1, 2, 6, 7, 2_000].map((failures) => longestPauseMs(pace, failures))).toEqual([
      50, 100, 200, 3_200, 5_000, 5_000,
    ]);
  });

  it("is the random part of its bound", () => {
    expect([0, 0.5, 0.75].map((random) => pauseMs(pace, 1, random))).toEqual([0, 50, 75]);
  });
});
