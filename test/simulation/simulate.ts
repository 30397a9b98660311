import { Clock } from "./engine/clock.ts";
import { History, type Violation } from "./engine/history.ts";
import { createAuditors } from "./auditors/auditors.ts";
import { healAll, strike } from "./faults.ts";
import { type Makers, realMakers } from "./makers.ts";
import type { Plan } from "./plan.ts";
import { World } from "./world.ts";

/** How a world came out. */
export interface Outcome {
  readonly plan: Plan;
  readonly steps: number;
  /** Virtual milliseconds. */
  readonly ms: number;
  /** Of everything that happened: two runs of one plan have the same. */
  readonly hash: string;
  readonly violation: Violation | undefined;
  /** Breaches that are known, and how often they happened. */
  readonly breaches: ReadonlyMap<string, number>;
  /** What happened how often. */
  readonly counts: ReadonlyMap<string, number>;
  /** Everything that happened, one line each, if it was asked for. */
  readonly lines: readonly string[];
}

/** How a plan is run. */
export interface SimulateOptions {
  readonly makers?: Makers;
  readonly isTraced?: boolean;
}

/** After the faults' end the world has this long to come to rest, and is looked at this often. */
const REST_MS = 600_000;
const LOOK_MS = 2_000;
/** A world that takes more steps than these for each operation and fault goes in a circle. */
const MOST_STEPS = 2_000;

/** Has a whole world happen, from its plan alone. Stops at the first rule that is broken. */
export function simulate(plan: Plan, options: SimulateOptions = {}): Outcome {
  const clock = new Clock();
  const history = new History(clock, options.isTraced === true);
  history.audit(createAuditors(history, clock));
  try {
    run(plan, clock, history, options.makers ?? realMakers);
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    history.fail("e: no program throws", text);
  }
  const { hash, violation, breaches, counts, lines } = history;
  return { plan, steps: clock.steps, ms: clock.now, hash, violation, breaches, counts, lines };
}

function run(plan: Plan, clock: Clock, history: History, makers: Makers): void {
  const world = new World(plan, clock, history, makers);
  for (const op of plan.ops) clock.at(op.atMs, () => world.begin(op));
  for (const fault of plan.faults) clock.at(fault.atMs, () => strike(world, fault));
  const mostSteps = 20_000 + MOST_STEPS * (plan.ops.length + plan.faults.length);
  const go = (isOver: () => boolean): void => {
    while (!isOver() && history.violation === undefined && clock.step())
      if (clock.steps > mostSteps)
        history.fail("e: the world comes to rest", `${mostSteps} steps, and no end`);
  };
  go(() => clock.now >= plan.endMs);
  history.record({ kind: "fault", name: "all faults end", target: "" });
  world.isEnding = true;
  healAll(world);
  const end = clock.now + REST_MS;
  while (history.violation === undefined && clock.now < end && !world.isAtRest()) {
    const until = clock.now + LOOK_MS;
    clock.at(until, () => {});
    go(() => clock.now >= until);
  }
  if (history.violation !== undefined) return;
  world.tellRest();
  history.end();
}
