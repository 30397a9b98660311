import { expect } from "vitest";
import type { Measured } from "./harness.ts";

/** Most by which a server may grow under an attack, MiB. */
const RSS_MIB = 256;
/** Longest turn of the loop, milliseconds of CPU time. */
const TURN_MS = 50;

/** What a good client's p99 may be: so many milliseconds, or so many times the p99 of its control in the same run if that is more. */
interface P99Bound {
  readonly ms: number;
  readonly times: number;
}

/** What is aimed at, and told. */
const P99_GOAL: P99Bound = { ms: 10, times: 2 };
/** What fails: other programs on the same cores may delay a call by tens of milliseconds, and a control is short. */
const P99_FAILS: P99Bound = { ms: 100, times: 6 };

function misses({ good, control, rssMiB, longestTurnMs }: Measured, p99: P99Bound): string[] {
  const most = Math.max(p99.ms, p99.times * control.p99);
  return [
    ...(good.answered < good.calls ? [`${good.calls - good.answered} calls`] : []),
    ...(good.p99 > most ? [`p99 ${good.p99.toFixed(1)} of ${most.toFixed(1)} ms`] : []),
    ...(rssMiB > RSS_MIB ? [`RSS ${rssMiB.toFixed(0)} of ${RSS_MIB} MiB`] : []),
    ...(longestTurnMs > TURN_MS ? [`turn ${longestTurnMs.toFixed(1)} of ${TURN_MS} ms`] : []),
  ];
}

/** Says for each goal that was missed what was measured; "goals met" if none was. */
export function verdictOf(measured: Measured): string {
  const missed = misses(measured, P99_GOAL);
  return missed.length === 0 ? "goals met" : `MISSED ${missed.join(", ")}`;
}

/**
 * Measures, and expects that the good client had every answer and the rest stayed within bounds. A measurement whose time or memory is over
 * its bound is made once more, as other programs may have been the reason: then the second counts. Answers with what counted.
 */
export async function expectUnharmed<M extends Measured>(measure: () => Promise<M>): Promise<M> {
  let measured = await measure();
  expectAnswers(measured);
  if (misses(measured, P99_FAILS).length > 0) {
    console.log("once more:");
    measured = await measure();
    expectAnswers(measured);
  }
  expect(misses(measured, P99_FAILS)).toEqual([]);
  return measured;
}

function expectAnswers({ good }: Measured): void {
  expect(good.failures).toEqual([]);
  expect(good.answered).toBe(good.calls);
  expect(good.calls).toBeGreaterThan(20);
}
