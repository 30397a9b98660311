import type { Violation } from "./engine/history.ts";
import { faultKinds } from "./plan.ts";
import type { Outcome } from "./simulate.ts";

/** A seed that broke a rule. */
export interface Failed {
  readonly seed: number;
  readonly violation: Violation;
}

/** What came of many worlds. */
export interface Total {
  seeds: number;
  steps: number;
  /** Virtual milliseconds. */
  ms: number;
  readonly counts: Map<string, number>;
  readonly breaches: Map<string, number>;
  readonly failed: Failed[];
}

export function emptyTotal(): Total {
  return { seeds: 0, steps: 0, ms: 0, counts: new Map(), breaches: new Map(), failed: [] };
}

/** Adds one world. */
export function addOutcome(total: Total, { plan, steps, ms, counts, breaches, violation }: Outcome): void {
  total.seeds++;
  total.steps += steps;
  total.ms += ms;
  addAll(total.counts, counts);
  addAll(total.breaches, breaches);
  if (violation !== undefined) total.failed.push({ seed: plan.seed, violation });
}

/** Adds what another thread has. */
export function addTotal(total: Total, other: Total): void {
  total.seeds += other.seeds;
  total.steps += other.steps;
  total.ms += other.ms;
  addAll(total.counts, other.counts);
  addAll(total.breaches, other.breaches);
  total.failed.push(...other.failed);
}

/** Says it all; `seconds` is how long it took. */
export function report(total: Total, seconds: number): string {
  const { seeds, steps, ms, counts, breaches, failed } = total;
  const faults = faultKinds.map((kind) => [kind, counts.get(`fault: ${kind}`) ?? 0] as const);
  const never = faults.filter(([, times]) => times === 0).map(([kind]) => kind);
  const others = [...counts]
    .filter(([name]) => !name.startsWith("fault: "))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const sum = faults.reduce((all, [, times]) => all + times, 0);
  return [
    `${thousands(seeds)} seeds, ${thousands(steps)} steps, ${(ms / 3_600_000).toFixed(1)} virtual hours`,
    `${seconds.toFixed(1)} s, ${thousands(Math.round(steps / seconds))} steps a second`,
    "",
    `${thousands(sum)} faults:`,
    ...faults.map(([kind, times]) => line(times, kind)),
    ...(never.length > 0 ? [`  never: ${never.join(", ")}`] : []),
    "",
    "what happened:",
    ...others.map(([name, times]) => line(times, name)),
    "",
    "breaches that are known:",
    ...(breaches.size === 0 ? ["  none"] : [...breaches].map(([name, times]) => line(times, name))),
    "",
    failed.length === 0 ? "no rule was broken" : `${failed.length} seeds broke a rule:`,
    ...failed.map(
      ({ seed, violation }) => `  seed ${seed}: ${violation.rule}: ${violation.text.split("\n")[0]}`,
    ),
  ].join("\n");
}

function line(times: number, name: string): string {
  return `${thousands(times).padStart(12)}  ${name}`;
}

function thousands(value: number): string {
  return value.toLocaleString("en-US");
}

function addAll(into: Map<string, number>, from: ReadonlyMap<string, number>): void {
  for (const [name, times] of from) into.set(name, (into.get(name) ?? 0) + times);
}
