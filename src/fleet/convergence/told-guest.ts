import type { ContextEntry, LinkedGuest } from "./facts.ts";
import {
  type HeldContext,
  NEW_ROUND,
  NO_REFUSALS,
  type Refusal,
  type Round,
  type Told,
  UNKNOWN_CONTEXT,
} from "./told.ts";

const NO_REMOVALS: readonly ContextEntry[] = [];

/** What one guest was told and answered, over all of its links. */
export class ToldGuest implements Told {
  assumed = 0;
  refused: Told["refused"];
  context: HeldContext = UNKNOWN_CONTEXT;
  refusals = NO_REFUSALS;
  misses = 0;
  removals = NO_REMOVALS;
  raiseInMs = 0;
  round: Round = NEW_ROUND;
  #bootId: string | undefined;

  /** A link is up: what was said on another one holds no longer, and refusals only if it is the same boot. */
  connected({ bootId, reports }: LinkedGuest): void {
    this.assumed = 0;
    this.context = UNKNOWN_CONTEXT;
    this.misses = 0;
    if (!reports) this.refused = undefined;
    // A guest that has no name for its boot does not say whether it is the same one.
    if (bootId === "" || bootId !== this.#bootId) this.refusals = NO_REFUSALS;
    this.#bootId = bootId;
  }

  /** A round has ended: what is to be there may be something else in the next one. */
  endRound(): void {
    this.round = NEW_ROUND;
    const { context } = this;
    if (context.kind !== "rebuilding") return;
    this.context = context.dropped ? { kind: "known", entries: context.entries } : UNKNOWN_CONTEXT;
  }

  /** The guest turned a context entry down. */
  refuse(key: string, refusal: Refusal): void {
    this.refusals = new Map(this.refusals).set(key, refusal);
  }

  /** Forgets refusals of what is not to be there any more. */
  keepRefusals(contexts: readonly ContextEntry[]): void {
    if (this.refusals.size === 0) return;
    const isCurrent = ([key, { version }]: [string, Refusal]) =>
      contexts.some((one) => one.key === key && one.version === version);
    this.refusals = new Map([...this.refusals].filter(isCurrent));
  }

  /** Recreated under the same id: nothing that was said is of this agent. */
  forget(): void {
    this.assumed = 0;
    this.refused = undefined;
    this.refusals = NO_REFUSALS;
  }
}
