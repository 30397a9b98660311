import { monotonicNow } from "@valinor/protocol";

/** Work that waits for its turn, a piece at a time. */
export interface Waiting {
  /** Does one piece of it; false: nothing of it is left, or it can't go on now. */
  step(): boolean;
}

/** Shares the turns of the event loop between connections that have more to be done than others. */
export interface Turns {
  /** Joins the line; does nothing for one that is in it already. */
  join(waiting: Waiting): void;
  leave(waiting: Waiting): void;
}

/** What a turn of the loop may take for those in line. */
export interface TurnBudget {
  /** Pieces, of all together. */
  readonly steps: number;
  /** Milliseconds after which no further piece is begun. */
  readonly ms: number;
}

/**
 * Makes a line. In each turn of the loop those in it do one piece after the other, round robin, until the turn's budget is used; whatever else
 * the loop has to do comes in between. Whoever is not in the line does not wait for it.
 */
export function createTurns(budget: TurnBudget): Turns {
  const line = new Set<Waiting>();
  let isDue = false;

  function turn(): void {
    isDue = false;
    const end = monotonicNow() + budget.ms;
    for (let steps = 0; steps < budget.steps && monotonicNow() < end; steps++) {
      const [first] = line;
      if (first === undefined) return;
      line.delete(first);
      if (first.step()) line.add(first); // at the end of the line
    }
    arm();
  }

  function arm(): void {
    if (isDue || line.size === 0) return;
    isDue = true;
    setImmediate(turn);
  }

  return {
    join(waiting) {
      line.add(waiting);
      arm();
    },
    leave: (waiting) => void line.delete(waiting),
  };
}
