import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Convergence } from "../../../src/fleet/convergence/convergence.ts";
import { type Leave, type Situation, TABLE } from "../../../src/fleet/convergence/decide.ts";
import type { ConvergenceOutput } from "../../../src/fleet/convergence/output.ts";
import { EVENTS, events } from "./histories.ts";
import { ModelWorld } from "./model.ts";

/** Every input, and whether it leaves each situation alike: then the table does not name it. */
const INPUTS: Readonly<Record<Leave | "connected" | "disconnected" | "agentRecreated" | "close", boolean>> = {
  loaded: false,
  loadFailed: false,
  raised: false,
  raiseFailed: false,
  configAnswered: false,
  contextAnswered: false,
  tick: false,
  heartbeat: false,
  configStored: false,
  contextStored: false,
  storeChanged: false,
  connected: true,
  disconnected: true,
  agentRecreated: true,
  close: true,
};

type Input = keyof typeof INPUTS;

/** By which inputs each situation was left. */
class Witness {
  readonly left = new Map<Situation, Set<Input>>();

  /** A kernel whose inputs are watched. */
  watch(output: ConvergenceOutput): Convergence {
    const kernel = new Convergence(output, () => 0.5);
    let isInside = false;
    for (const input of Object.keys(INPUTS) as Input[]) {
      const original = kernel[input].bind(kernel) as (...args: unknown[]) => void;
      const watched = (...args: unknown[]) => {
        const isOutermost = !isInside;
        const before = kernel.situation;
        isInside = true;
        original(...args);
        if (!isOutermost) return;
        isInside = false;
        if (before === kernel.situation || before === "away") return;
        const inputs = this.left.get(before) ?? new Set();
        this.left.set(before, inputs.add(input));
      };
      Object.defineProperty(kernel, input, { value: watched });
    }
    return kernel;
  }
}

describe("the table of convergence", () => {
  it("names each situation once, and the last one holds always", () => {
    const names = TABLE.map(({ situation }) => situation);
    expect(new Set(names).size).toBe(names.length);
    expect(names.at(-1)).toBe("in force");
  });

  it("says of every situation exactly what leaves it", () => {
    const witness = new Witness();
    fc.assert(
      fc.property(events, (history) => {
        const world = new ModelWorld(
          () => 0.5,
          (output) => witness.watch(output),
        );
        for (const [name, n] of history) EVENTS[name](world, n);
      }),
      { numRuns: 6_000, seed: 7 },
    );
    for (const { situation, leftBy } of TABLE) {
      const seen = [...(witness.left.get(situation) ?? [])].filter((input) => !INPUTS[input]);
      expect({ situation, leftBy: seen.toSorted() }).toEqual({ situation, leftBy: leftBy.toSorted() });
    }
  });
});
