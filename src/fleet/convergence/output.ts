import type { ConfigRecord } from "../../store/store.ts";
import type { ConfigOutcome, ContextPush, Verdict, VerdictEntry } from "./facts.ts";

/**
 * What the kernel of convergence asks of its driver. Each request is answered by exactly one input of the kernel, later and never from
 * inside the call, also if the link was lost or the kernel closed meanwhile. Of `load`, `raise` and the two pushes one at most is
 * under way; a `record` may be under way beside it, one at a time as well.
 */
export interface ConvergenceOutput {
  /** Look up in the store what the agent is to have. Answer: `loaded` or `loadFailed`. */
  load(): void;
  /** Give the current configuration a revision above this one (Store.raiseRevision). Answer: `raised` or `raiseFailed`. */
  raise(above: number): void;
  /** Push a configuration, its secrets open, to the guest whose link is up. Answer: `configAnswered`, within the time a push may take. */
  pushConfig(config: ConfigRecord): void;
  /** Push a context entry to the guest whose link is up. Answer: `contextAnswered`, within the time a push may take. */
  pushContext(push: ContextPush): void;
  /** Write down what the guest said of a revision (Store.recordVerdict). Answer: `recorded` or `recordFailed`. */
  record(verdict: VerdictEntry): void;
  /** Whoever waits under this number gets the guest's verdict on a configuration. Once for each number. */
  configJudged(waiter: number, outcome: ConfigOutcome): void;
  /** The same for a context entry. */
  contextJudged(waiter: number, verdict: Verdict): void;
  /** The state, the observed or the desired revision may have changed. */
  changed(): void;
}
