import { CreditPool, type HostLinkShared, UnaskedTotal } from "@valinor/protocol";
import { Deliveries } from "./deliveries.ts";
import { Dials } from "./dials.ts";
import { mintId } from "./ids.ts";
import { PartialBudget } from "./partials.ts";
import { Ticks } from "./ticks.ts";
import { ReadTurns } from "./turns.ts";

/** What all links of a process share: time, memory, and patience with what nobody asked for. */
export interface Intake extends HostLinkShared {
  readonly turns: ReadTurns;
  readonly deliveries: Deliveries;
  readonly partials: PartialBudget;
  readonly dials: Dials;
  readonly ticks: Ticks;
}

/** Makes it: one for a process. */
export function createIntake(): Intake {
  return {
    turns: new ReadTurns(),
    deliveries: new Deliveries(),
    partials: new PartialBudget(),
    unasked: new UnaskedTotal(),
    credit: new CreditPool(),
    dials: new Dials(),
    ticks: new Ticks(),
    mintId,
  };
}
