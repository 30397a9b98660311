import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { pauseFor, waitAtMost } from "../../src/waits/waits.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const never = new Promise<never>(() => {});

/** Whether a promise is settled by now. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  const ended = vi.fn<() => void>();
  void promise.finally(ended);
  await vi.advanceTimersByTimeAsync(0);
  return ended.mock.calls.length > 0;
}

describe("waiting at most so long for a promise", () => {
  it("ends when the promise resolves, and leaves no timer", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wait = waitAtMost(promise, 1_000, new AbortController().signal);
    expect(await isOver(wait)).toBe(false);
    resolve();
    expect(await isOver(wait)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("ends without an error if the promise rejects", async () => {
    const wait = waitAtMost(Promise.reject(new Error("no")), 1_000, new AbortController().signal);
    expect(await wait).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("ends when the time is over, not before", async () => {
    const wait = waitAtMost(never, 1_000, new AbortController().signal);
    await vi.advanceTimersByTimeAsync(999);
    expect(await isOver(wait)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await isOver(wait)).toBe(true);
  });

  it("ends when the signal aborts, and at once if it has", async () => {
    const stop = new AbortController();
    const wait = waitAtMost(never, 1_000, stop.signal);
    expect(await isOver(wait)).toBe(false);
    stop.abort();
    expect(await isOver(wait)).toBe(true);
    expect(await isOver(waitAtMost(never, 1_000, stop.signal))).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("leaves no listener at a signal that outlives it", async () => {
    const { signal } = new AbortController();
    const listen = vi.spyOn(signal, "addEventListener");
    const forget = vi.spyOn(signal, "removeEventListener");
    const wait = pauseFor(1_000, signal);
    await vi.advanceTimersByTimeAsync(1_000);
    await wait;
    expect(listen).toHaveBeenCalledTimes(1);
    expect(forget).toHaveBeenCalledWith("abort", listen.mock.calls[0]?.[1]);
  });
});
