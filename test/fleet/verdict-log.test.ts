import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createVerdictLog, type VerdictEntry } from "../../src/fleet/verdict-log.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("a guest that comes back as another boot all the time writes the store seldom, and its last word is kept", async () => {
  const written: VerdictEntry[] = [];
  const log = createVerdictLog(async (entry) => void written.push(entry));
  for (let boot = 0; boot < 1_000; boot++) {
    log.note({ revision: 1, outcome: boot % 2 ? "applied" : "refused", reason: "", bootId: `b${boot}` });
    await vi.advanceTimersByTimeAsync(100);
  }
  // 100 seconds.
  expect(written.length).toBeGreaterThan(16);
  expect(written.length).toBeLessThanOrEqual(16 + 11);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(written.length).toBeLessThanOrEqual(16 + 12);
  expect(written.at(-1)).toMatchObject({ bootId: "b999" });
});

it("a revision's first verdict is written at once, however many there are", async () => {
  const written: VerdictEntry[] = [];
  const log = createVerdictLog(async (entry) => void written.push(entry));
  for (let revision = 1; revision <= 100; revision++) {
    log.note({ revision, outcome: "applied", reason: "", bootId: "b" });
    await vi.advanceTimersByTimeAsync(0);
  }
  expect(written.map(({ revision }) => revision)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
});
