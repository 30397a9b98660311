import { describe, expect, it } from "vitest";
import { earlier, Gap, Pause, RaisePace } from "../../../src/fleet/convergence/pace.ts";

describe("the pause before a further round", () => {
  it("has a bound that doubles with each failure in a row, from 100 ms to 5 s", () => {
    const pause = new Pause();
    const ends = Array.from({ length: 8 }, () => {
      pause.begin(0, 0.5, 1_000);
      return (pause.endsAt ?? 0) - 1_000;
    });
    expect(ends).toEqual([50, 100, 200, 400, 800, 1_600, 2_500, 2_500]);
  });

  it("is at least as long as it has to be", () => {
    const pause = new Pause();
    pause.begin(700, 0, 0);
    expect(pause.endsAt).toBe(700);
  });

  it("that ends early is followed by a longer one, and after a success by a short one", () => {
    const pause = new Pause();
    pause.begin(0, 0.5, 0);
    pause.end();
    expect(pause.endsAt).toBeUndefined();
    pause.begin(0, 0.5, 0);
    expect(pause.endsAt).toBe(100);
    pause.reset();
    expect(pause.endsAt).toBeUndefined();
    pause.begin(0, 0.5, 0);
    expect(pause.endsAt).toBe(50);
  });

  it("is a minute for what nobody can bring to the guest", () => {
    const pause = new Pause();
    pause.park(5);
    expect(pause.endsAt).toBe(60_005);
  });
});

describe("the gap between rounds that heartbeats set off", () => {
  it("is open at first, and again 500 ms after its use", () => {
    const gap = new Gap();
    expect([gap.isOpen(0), gap.wakeAt]).toEqual([true, undefined]);
    gap.use(1_000);
    expect([gap.isOpen(1_499), gap.wakeAt]).toEqual([false, 1_500]);
    expect([gap.isOpen(1_500), gap.wakeAt]).toEqual([true, undefined]);
  });

  it("doubles with each use that comes soon, up to a minute", () => {
    const gap = new Gap();
    const lengths = [];
    for (let uses = 0, now = 0; uses < 10; uses++) {
      gap.use(now);
      gap.isOpen(now);
      lengths.push((gap.wakeAt ?? 0) - now);
      now = gap.wakeAt ?? 0;
    }
    expect(lengths).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  it("is short again after a use that comes late", () => {
    const gap = new Gap();
    gap.use(0);
    gap.use(1_499);
    expect([gap.isOpen(1_499), gap.wakeAt]).toEqual([false, 2_499]);
    gap.use(1_499 + 3_000);
    expect([gap.isOpen(4_499), gap.wakeAt]).toEqual([false, 4_999]);
  });

  it("forgets whom it turned away when that was woken, and everything on another link", () => {
    const gap = new Gap();
    gap.use(0);
    gap.isOpen(1);
    gap.woken();
    expect(gap.wakeAt).toBeUndefined();
    gap.isOpen(1);
    gap.use(1);
    gap.reset();
    expect([gap.wakeAt, gap.isOpen(1)]).toEqual([undefined, true]);
    gap.use(2);
    gap.isOpen(2);
    expect(gap.wakeAt).toBe(502);
  });
});

it("raises of a revision are kept apart by a time that doubles from 1 s to 10 min", () => {
  const raises = new RaisePace();
  expect(raises.waitMs(0)).toBe(0);
  const waits = Array.from({ length: 12 }, () => {
    raises.use(5);
    return raises.waitMs(5);
  });
  expect(waits.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000]);
  expect(waits.slice(-2)).toEqual([600_000, 600_000]);
  expect([raises.waitMs(600_004), raises.waitMs(600_005), raises.waitMs(700_000)]).toEqual([1, 0, 0]);
});

it("the earlier of two times is the one that there is, if only one is", () => {
  expect([earlier(1, 2), earlier(2, 1), earlier(undefined, 2), earlier(1, undefined)]).toEqual([1, 1, 2, 1]);
  expect(earlier(undefined, undefined)).toBeUndefined();
});
