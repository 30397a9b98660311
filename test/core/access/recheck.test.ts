import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { localCaller } from "../../../src/core/access/authorize.ts";
import { createRecheck } from "../../../src/core/access/recheck.ts";
import { ValinorError } from "../../../src/core/errors.ts";
import { failureOf } from "../../link/connect.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

function rechecked(answers: (Error | undefined)[]) {
  const look = vi.fn<() => Promise<void>>(async () => {
    const error = answers.shift();
    if (error !== undefined) throw error;
  });
  return { look, recheck: createRecheck({ ...localCaller, recheck: look }, 30_000, 5_000) };
}

describe("a caller whose call lasts", () => {
  it("is looked at again when it is time, and not before", async () => {
    const { look, recheck } = rechecked([]);
    expect(recheck.dueMs()).toBe(30_000);
    vi.advanceTimersByTime(29_999);
    await recheck.ifDue();
    expect([recheck.dueMs(), look.mock.calls.length]).toEqual([1, 0]);
    vi.advanceTimersByTime(1);
    await recheck.ifDue();
    expect([recheck.dueMs(), look.mock.calls.length]).toEqual([30_000, 1]);
  });

  it("is never due late", () => {
    const { recheck } = rechecked([]);
    vi.advanceTimersByTime(40_000);
    expect(recheck.dueMs()).toBe(0);
  });

  it("stays if nobody can tell, and is looked at again soon", async () => {
    const { recheck } = rechecked([new ValinorError("STORE_UNAVAILABLE", "away")]);
    await recheck.now();
    expect(recheck.dueMs()).toBe(5_000);
  });

  it("is out if the answer is no", async () => {
    const { recheck } = rechecked([new ValinorError("UNAUTHENTICATED", "revoked")]);
    expect(await failureOf(recheck.now())).toMatchObject({ reason: "UNAUTHENTICATED" });
  });

  it("is never looked at again if its credential does not expire", async () => {
    const { recheck: _, ...lasting } = localCaller;
    const recheck = createRecheck(lasting, 30_000, 5_000);
    expect(recheck.dueMs()).toBe(Infinity);
    vi.advanceTimersByTime(1e9);
    await recheck.ifDue();
  });
});
