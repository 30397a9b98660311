import type { Outcome } from "./simulate.ts";
import type { Plan, PlannedFault, PlannedOp } from "./plan.ts";

/** Runs that a minimisation may take. */
const MOST_RUNS = 400;

/**
 * Makes a plan that fails smaller: leaves out operations and faults, by halves and then one by one, as long as the same rule is broken.
 * What is left runs as it did, since every part of a world draws its own random numbers. `run` simulates a plan.
 */
export function shrink(failed: Outcome, run: (plan: Plan) => Outcome): Outcome {
  let best = failed;
  let runs = 0;
  const attempt = (plan: Plan): boolean => {
    if (runs++ >= MOST_RUNS) return false;
    const outcome = run(plan);
    if (outcome.violation?.rule !== failed.violation?.rule) return false;
    best = outcome;
    return true;
  };
  // What was to happen after the rule was broken has nothing to do with it.
  const atMs = failed.violation?.atMs ?? Infinity;
  const isBefore = ({ atMs: time }: PlannedOp | PlannedFault) => time <= atMs;
  const { plan } = failed;
  attempt({ ...plan, ops: plan.ops.filter(isBefore), faults: plan.faults.filter(isBefore) });
  let before = Infinity;
  while (sizeOf(best.plan) < before) {
    before = sizeOf(best.plan);
    reduce(best.plan.faults, (faults) => attempt({ ...best.plan, faults }));
    reduce(best.plan.ops, (ops) => attempt({ ...best.plan, ops }));
  }
  return best;
}

function sizeOf({ ops, faults }: Plan): number {
  return ops.length + faults.length;
}

/** Leaves out ever smaller parts of a list, as long as `attempt` says that it still fails without them. */
function reduce<T>(items: readonly T[], attempt: (left: readonly T[]) => boolean): void {
  let left = items;
  if (left.length > 0 && attempt([])) return;
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < left.length;) {
      const without = [...left.slice(0, at), ...left.slice(at + size)];
      if (attempt(without)) left = without;
      else at += size;
    }
  }
}
