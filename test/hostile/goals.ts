import { cpus, loadavg } from "node:os";
import { expect } from "vitest";
import type { Measured } from "./harness.ts";

/** Most by which a server may grow under an attack, MiB. */
const RSS_MIB = 256;
/** Longest turn of the loop, milliseconds of CPU time; on a loaded machine caches are cold, so that a turn takes longer than its 50. */
const TURN_MS = 100;
/**
 * What a good client's p99 may be at most, milliseconds, or so many times the control's. Where other programs want the server's core, a server
 * that is busy waits for them at every turn, and one that is idle hardly does.
 */
const P99_MS = 150 * Math.max(1, (loadavg()[0] ?? 0) / cpus().length);
const P99_TIMES = 4;

/**
 * Expects that the good client had all its answers in time and that the server's memory and turns stayed within bounds. The goals for a
 * machine that does nothing else are twice the control or 10 ms, and 50 ms of CPU time; here they leave room for one that is loaded.
 */
export function expectUnharmed({ good, control, rssMiB, longestTurnMs }: Measured): void {
  expect(good.failures).toEqual([]);
  expect(good.answered).toBe(good.calls);
  expect(good.calls).toBeGreaterThan(20);
  expect(good.p99).toBeLessThan(Math.max(P99_TIMES * control.p99, P99_MS));
  expect(rssMiB).toBeLessThan(RSS_MIB);
  expect(longestTurnMs).toBeLessThan(TURN_MS);
}
