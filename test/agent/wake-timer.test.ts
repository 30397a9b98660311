import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WakeTimer } from "../../agent/wake-timer.ts";

describe("the timer of a kernel", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function setup() {
    const kernel = { wake: undefined as number | undefined, nextWake: () => kernel.wake };
    const woken: number[] = [];
    const started = performance.now();
    const timer = new WakeTimer(kernel, (now) => {
      woken.push(Math.round(now - started));
      kernel.wake = undefined;
    });
    const wakeIn = (ms: number) => {
      kernel.wake = started + ms;
      timer.arm();
    };
    return { kernel, timer, woken, wakeIn };
  }

  it("wakes it when it has something to do, and not again unless it asks to", () => {
    const { woken, wakeIn } = setup();
    wakeIn(50);
    vi.advanceTimersByTime(1_000);
    expect(woken).toEqual([50]);
  });

  it("wakes it earlier if something is due earlier than was said before", () => {
    const { woken, wakeIn, kernel } = setup();
    wakeIn(50);
    wakeIn(20);
    wakeIn(80); // later than what is armed: the kernel says so again when it is woken
    kernel.wake = undefined;
    vi.advanceTimersByTime(1_000);
    expect(woken).toEqual([20]);
  });

  it("never wakes it in the past, nor without a pause", () => {
    const { woken, wakeIn } = setup();
    wakeIn(-100);
    expect(woken).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(woken).toEqual([1]);
  });

  it("is not armed any more once it was stopped", () => {
    const { timer, woken, wakeIn } = setup();
    wakeIn(50);
    timer.stop();
    wakeIn(10);
    vi.advanceTimersByTime(1_000);
    expect(woken).toEqual([]);
  });
});
