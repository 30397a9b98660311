import { describe, expect, it } from "vitest";
import { RunClock, stoppedClock } from "../../../agent/runs/run-clock.ts";

const bounds = { progressMs: 15, modelSilenceMs: 180, runMs: 1_800 };

function started(now = 1_000): RunClock {
  const clock = new RunClock(bounds, stoppedClock);
  clock.start(now);
  return clock;
}

describe("the clock of a run", () => {
  it("owes readers a sign of life for each interval in which they got nothing", () => {
    const clock = started();
    expect([clock.dueAt, clock.due(1_014)]).toEqual([1_015, undefined]);
    expect(clock.due(1_015)).toBe("progress");
    expect([clock.dueAt, clock.due(1_029)]).toEqual([1_030, undefined]);
    clock.told(1_020);
    expect([clock.dueAt, clock.due(1_034), clock.due(1_035)]).toEqual([1_035, undefined, "progress"]);
  });

  it("ends a run whose model was silent, whatever its readers were told", () => {
    const clock = started();
    clock.heard(1_100);
    clock.told(1_270);
    expect([clock.due(1_279), clock.dueAt]).toEqual([undefined, 1_280]);
    expect(clock.due(1_280)).toBe("silent");
  });

  it("ends a run that takes too long, though its model says something all the time", () => {
    const clock = started();
    clock.heard(2_799);
    clock.told(2_799);
    expect([clock.due(2_799), clock.dueAt]).toEqual([undefined, 2_800]);
    expect(clock.due(2_800)).toBe("too long");
  });

  it("counts no silence and owes nothing while the model is not read", () => {
    const clock = started();
    clock.hold(true, 1_010);
    expect([clock.dueAt, clock.due(2_000)]).toEqual([2_800, undefined]);
    clock.hold(false, 2_000);
    expect([clock.dueAt, clock.due(2_014), clock.due(2_015)]).toEqual([2_015, undefined, "progress"]);
    clock.hold(false, 2_100);
    expect(clock.due(2_180)).toBe("silent");
    clock.hold(true, 2_100);
    expect(clock.due(2_800)).toBe("too long");
  });

  it("goes on in a copy, which is not held", () => {
    const clock = started();
    clock.heard(1_005);
    expect(clock.snapshot(1_007)).toEqual({ startedAt: 1_000, heardAt: 1_005, toldAt: 1_000 });
    clock.hold(true, 1_010);
    const copy = new RunClock(bounds, clock.snapshot(1_500));
    expect([copy.dueAt, copy.due(1_514), copy.due(2_800)]).toEqual([1_515, undefined, "too long"]);
  });
});
