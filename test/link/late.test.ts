import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { limits } from "../../protocol/wire/limits.ts";
import { LateExchanges } from "../../src/link/late.ts";

const MIB = 1024 * 1024;

describe("an exchange that was given up", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
  afterEach(() => void vi.useRealTimers());

  it("is forgiven its bytes, and the frame that goes over them", () => {
    const late = new LateExchanges(MIB);
    late.add("a");
    expect(late.forgives("a", MIB - 1)).toBe(true);
    expect(late.forgives("a", 2 * MIB)).toBe(true);
    expect(late.forgives("a", 1)).toBe(false);
  });

  it("is forgiven no more once exactly its bytes have come", () => {
    const late = new LateExchanges(MIB);
    late.add("a");
    expect(late.forgives("a", MIB)).toBe(true);
    expect(late.forgives("a", 0)).toBe(false);
  });

  it("says nothing about exchanges that nobody gave up, and shares its bytes with no other", () => {
    const late = new LateExchanges(MIB);
    late.add("a");
    late.add("b");
    expect(late.forgives("c", 1)).toBe(false);
    late.forgives("a", MIB);
    expect(late.forgives("a", 1)).toBe(false);
    expect(late.forgives("b", 1)).toBe(true);
  });

  it("is forgotten when the time of a frame is over, and not before", () => {
    const late = new LateExchanges(MIB);
    vi.setSystemTime(0);
    const start = performance.now();
    late.add("a");
    vi.advanceTimersByTime(1_000);
    late.add("b");
    late.tick(start + limits.frameMs - 1);
    expect([late.forgives("a", 1), late.forgives("b", 1)]).toEqual([true, true]);
    late.tick(start + limits.frameMs);
    expect([late.forgives("a", 1), late.forgives("b", 1)]).toEqual([false, true]);
    late.tick(start + limits.frameMs + 1_000);
    expect(late.forgives("b", 1)).toBe(false);
  });

  it("makes the oldest go if more are given up than messages may be read at once", () => {
    const late = new LateExchanges(MIB);
    for (let n = 0; n < limits.messagesPerLink; n++) late.add(`${n}`);
    expect(late.forgives("0", 1)).toBe(true);
    late.add("one more");
    expect(late.forgives("0", 1)).toBe(false);
    expect(late.forgives("1", 1)).toBe(true);
    expect(late.forgives("one more", 1)).toBe(true);
  });
});
