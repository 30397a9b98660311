import { describe, expect, it } from "vitest";
import { mutants } from "./mutants.ts";
import { planOf } from "./plan.ts";
import { simulate } from "./simulate.ts";

/** Worlds in which a mutant is to be found. */
const SEEDS = 40;
const STEPS = 4_000;

describe("the auditors of the simulation", () => {
  it.each(mutants.map((mutant) => [mutant.name, mutant.rule, mutant] as const))(
    "find %s: %s",
    (_name, rule, { makers }) => {
      const broken: string[] = [];
      for (let seed = 1; seed <= SEEDS && broken.at(-1) !== rule; seed++) {
        const { violation } = simulate(planOf(seed, STEPS), { makers });
        if (violation !== undefined) broken.push(violation.rule);
      }
      expect(broken).toContain(rule);
    },
  );
});
