import type { Outcome } from "./simulate.ts";

/** Lines of a trace that are shown. */
const MOST_LINES = 400;

/** Says what a world that broke a rule was, and what happened in it, for whoever has to find out why. */
export function explain(outcome: Outcome, seed: number, steps: number): string {
  const { plan, violation, lines } = outcome;
  if (violation === undefined) return `seed ${seed}: no rule was broken`;
  const { rule, text, atMs, step } = violation;
  const shown = lines.slice(-MOST_LINES);
  return [
    `seed ${seed} broke the rule "${rule}" at ${atMs.toFixed(1)} ms, step ${step}:`,
    `  ${text}`,
    `run it again: npm run test:simulation -- --seed ${seed} --steps ${steps}`,
    "",
    `The smallest world that was found to break it: ${plan.hosts} hosts, ${plan.agents} agents,`,
    `${plan.ops.length} operations and ${plan.faults.length} faults:`,
    ...plan.ops.map((op) => `  ${JSON.stringify(op)}`),
    ...plan.faults.map((fault) => `  ${JSON.stringify(fault)}`),
    "",
    lines.length > shown.length
      ? `The last ${shown.length} of ${lines.length} things that happened:`
      : "What happened:",
    ...shown,
  ].join("\n");
}
