import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { localCaller } from "../../../src/core/access/authorize.ts";
import { StreamBudget, type HeldStream, type StreamLimits } from "../../../src/core/runs/stream-budget.ts";

const limits: StreamLimits = {
  process: 1_000,
  tenant: 600,
  credential: 400,
  streams: 40,
  tenantStreams: 30,
  credentialStreams: 25,
  stalledMs: 1_000,
  pressedMs: 1_000,
  lookMs: 500,
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A budget with streams whose state the test sets. */
function world(bounds = limits) {
  const shed: string[] = [];
  const budget = new StreamBudget(bounds);
  function open(name: string, held: number, of: { tenant?: string; credential?: string } = {}) {
    const caller = { ...localCaller, ...of };
    const state = { held, takes: 0 };
    const stream: HeldStream = {
      caller,
      held: () => state.held,
      takes: () => state.takes,
      shed: () => {
        shed.push(name);
        release();
      },
    };
    const release = budget.add(stream);
    return { state, caller, release };
  }
  return { budget, shed, open };
}

test("what waits for clients that go on reading is no concern", () => {
  const { budget, shed, open } = world();
  const streams = Array.from({ length: 20 }, (_, i) => open(`s${i}`, 300));
  for (let i = 0; i < 10; i++) {
    for (const { state } of streams) state.takes++;
    vi.advanceTimersByTime(500);
  }
  expect(shed).toEqual([]);
  expect(() => budget.admit(localCaller)).not.toThrow();
});

test("of a credential's stalled streams the largest is ended, until they are within its share", () => {
  const { shed, open } = world();
  open("small", 100);
  open("large", 250);
  open("middle", 200);
  vi.advanceTimersByTime(2_000);
  expect(shed).toEqual(["large"]);
});

test("if all streams of a credential together hold more than its share, one that is not read is ended sooner", () => {
  const { shed, open } = world({ ...limits, pressedMs: 200, lookMs: 100 });
  const read = open("read", 300);
  open("unread", 200);
  for (let i = 0; i < 4; i++) {
    read.state.takes++;
    vi.advanceTimersByTime(100);
  }
  expect(shed).toEqual([]); // of what is stalled there is less than the share
  open("unread too", 210);
  for (let i = 0; i < 4; i++) {
    read.state.takes++;
    vi.advanceTimersByTime(100);
  }
  expect(shed).toEqual(["unread too"]);
});

test("hundreds of streams that are to be ended take several turns of the loop", () => {
  const { shed, open } = world({ ...limits, process: 100, tenant: 100, credential: 100 });
  for (let i = 0; i < 100; i++) open(`s${i}`, 10);
  vi.advanceTimersByTime(1_000);
  expect(shed.length).toBeLessThan(40);
  vi.advanceTimersByTime(100);
  expect(shed).toHaveLength(91);
});

test("the streams of a tenant, and all of the process, have shares as well", () => {
  const { shed, open } = world();
  for (let i = 0; i < 3; i++) open(`a${i}`, 210 + i, { tenant: "a", credential: `k${i}` });
  vi.advanceTimersByTime(2_000);
  expect(shed).toEqual(["a2"]);
  for (const tenant of ["b", "c"]) open(tenant, 300 + tenant.length, { tenant });
  vi.advanceTimersByTime(2_000);
  expect(shed).toHaveLength(2);
});

test("at four fifths of a share its holder gets no new stream, and others do", () => {
  const { budget, shed, open } = world();
  const { caller, state } = open("s", 350, { credential: "k" });
  vi.advanceTimersByTime(2_000);
  expect(() => budget.admit(caller)).toThrow("this credential's streams wait for clients");
  expect(() => budget.admit({ ...caller, credential: "other" })).not.toThrow();
  state.takes++;
  vi.advanceTimersByTime(500);
  expect(() => budget.admit(caller)).not.toThrow();
  expect(shed).toEqual([]);
});

test("a stream whose agent says nothing is not stalled, and one that ends frees its share", () => {
  const { budget, shed, open } = world();
  open("waits", 0);
  const { caller, release } = open("s", 350);
  vi.advanceTimersByTime(2_000);
  expect(() => budget.admit(caller)).toThrow("streams wait");
  release();
  vi.advanceTimersByTime(500);
  expect(() => budget.admit(caller)).not.toThrow();
  expect(shed).toEqual([]);
});

test("one credential can't have all streams, nor one tenant", () => {
  const { budget, open } = world();
  const first = { tenant: "a", credential: "k1" };
  const streams = Array.from({ length: 25 }, () => open("s", 0, first));
  expect(() => budget.admit({ ...localCaller, ...first })).toThrow(
    "this credential's streams are 25 already",
  );
  for (let i = 0; i < 5; i++) open("t", 0, { tenant: "a", credential: "k2" });
  expect(() => budget.admit({ ...localCaller, tenant: "a", credential: "k3" })).toThrow("this tenant's");
  expect(() => budget.admit({ ...localCaller, tenant: "b" })).not.toThrow();
  streams[0]?.release();
  streams[0]?.release();
  expect(() => budget.admit({ ...localCaller, ...first })).not.toThrow();
});
