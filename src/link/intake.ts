import { Dials } from "./dials.ts";
import { UnaskedTotal } from "./flood.ts";
import { PartialBudget } from "./partials.ts";
import { ReadTurns } from "./turns.ts";

/** What all links of a process share: time, memory, and patience with what nobody asked for. */
export interface Intake {
  readonly turns: ReadTurns;
  readonly partials: PartialBudget;
  readonly unasked: UnaskedTotal;
  readonly dials: Dials;
}

/** Makes it: one for a process. */
export function createIntake(): Intake {
  return {
    turns: new ReadTurns(),
    partials: new PartialBudget(),
    unasked: new UnaskedTotal(),
    dials: new Dials(),
  };
}
