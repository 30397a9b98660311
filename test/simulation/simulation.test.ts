import { describe, expect, it } from "vitest";
import { explain } from "./explain.ts";
import { planOf } from "./plan.ts";
import { shrink } from "./shrink.ts";
import { mutants } from "./mutants.ts";
import { simulate } from "./simulate.ts";

/** Steps of each world here, about: `npm run test:simulation` runs larger ones. */
const STEPS = 1_500;

/** The same in every run: a suite that fails has a reason in what changed. `npm run test:simulation -- --first N` tries others. */
const firstSeed = 1_001;

describe("a simulated world", () => {
  it("happens again in the same way from the same seed, and in another from another", () => {
    const first = simulate(planOf(7, STEPS));
    const again = simulate(planOf(7, STEPS));
    expect({ hash: again.hash, steps: again.steps }).toEqual({ hash: first.hash, steps: first.steps });
    expect(simulate(planOf(8, STEPS)).hash).not.toBe(first.hash);
  });

  it.each(Array.from({ length: 30 }, (_, index) => firstSeed + index))("breaks no rule: seed %i", (seed) => {
    const outcome = simulate(planOf(seed, STEPS));
    if (outcome.violation === undefined) return;
    const least = shrink(outcome, simulate);
    expect.fail(explain(simulate(least.plan, { isTraced: true }), seed, STEPS));
  });
});

describe("a world that breaks a rule", () => {
  const [mutant] = mutants.filter(({ rule }) => rule === "a: gapless");
  const run = (plan: ReturnType<typeof planOf>) =>
    simulate(plan, { ...(mutant && { makers: mutant.makers }) });

  it("is made as small as it can be, and breaks the same rule", () => {
    const failed = run(planOf(3, STEPS));
    const least = shrink(failed, run);
    expect(least.violation?.rule).toBe("a: gapless");
    expect(least.plan.ops).toHaveLength(1);
    expect(least.plan.faults).toHaveLength(0);
  });

  it("is told with its seed, the rule, how to run it again, and what happened", () => {
    const failed = simulate(planOf(3, STEPS), { isTraced: true, ...(mutant && { makers: mutant.makers }) });
    const text = explain(failed, 3, STEPS);
    expect(text).toContain(`seed 3 broke the rule "a: gapless"`);
    expect(text).toContain(`npm run test:simulation -- --seed 3 --steps ${STEPS}`);
    expect(text).toContain(`"kind":"read"`);
  });
});
