import { describe, expect, it } from "vitest";
import { Redial } from "../../../../protocol/link/host/redial.ts";

/** Pauses after so many failed attempts in a row, each made when it was due. */
function pauses(redial: Redial, count: number, random: number, waited = false): number[] {
  let now = 1_000;
  return Array.from({ length: count }, () => {
    redial.begun();
    redial.down(now, waited, random);
    const pause = (redial.at ?? NaN) - now;
    now += pause;
    return pause;
  });
}

describe("a link that is not up", () => {
  it("is dialled at once, and by one attempt at a time", () => {
    const redial = new Redial();
    expect(redial.at).toBe(0);
    redial.begun();
    redial.wanted(10);
    expect(redial.at).toBeUndefined();
  });

  it("is dialled again after 50 ms and a random time below a bound that doubles up to 5 s", () => {
    expect(pauses(new Redial(), 9, 1)).toEqual([100, 150, 250, 450, 850, 1_650, 3_250, 5_050, 5_050]);
    expect(pauses(new Redial(), 9, 0.5)).toEqual([75, 100, 150, 250, 450, 850, 1_650, 2_550, 2_550]);
    expect(pauses(new Redial(), 9, 0)).toEqual(Array(9).fill(50));
  });

  it("is dialled within 300 ms if a request waits for it", () => {
    expect(pauses(new Redial(), 6, 1, true)).toEqual([100, 150, 250, 300, 300, 300]);
  });

  it("is dialled at once for a request that comes meanwhile, but not within 50 ms of the last attempt", () => {
    const redial = new Redial();
    pauses(redial, 8, 1);
    redial.begun();
    redial.down(20_000, false, 1);
    redial.wanted(20_020);
    expect(redial.at).toBe(20_050);
    redial.begun();
    redial.down(30_000, false, 1);
    redial.wanted(31_000);
    expect(redial.at).toBe(31_000);
    redial.wanted(32_000);
    expect(redial.at).toBe(31_000);
  });
});

describe("a link that was lost", () => {
  /** Goes up now, and is lost after a time; answers the pause. */
  function flap(redial: Redial, now: number, upMs: number): number {
    redial.begun();
    redial.up(now);
    redial.down(now + upMs, false, 1);
    return (redial.at ?? NaN) - now - upMs;
  }

  it("after 10 s or more is dialled as if nothing had failed before", () => {
    const redial = new Redial();
    pauses(redial, 6, 1);
    expect(flap(redial, 50_000, 10_000)).toBe(100);
    expect(pauses(redial, 2, 1)).toEqual([150, 250]);
  });

  it("sooner pauses longer each time, up to 1.6 s", () => {
    const redial = new Redial();
    const all = Array.from({ length: 7 }, (_, i) => flap(redial, i * 20_000, 9_999));
    expect(all).toEqual([150, 250, 450, 850, 1_650, 1_650, 1_650]);
    expect(flap(redial, 900_000, 10_000)).toBe(100);
    expect(flap(redial, 950_000, 1)).toBe(150);
  });
});

it("the pause stays bounded after any number of failures", () => {
  expect(pauses(new Redial(), 2_000, 1).at(-1)).toBe(5_050);
});
