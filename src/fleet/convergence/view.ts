import { longestPauseMs, type Pace } from "@valinor/protocol";
import { contextStep, type ContextStep, whyStuck } from "./context-step.ts";
import { type Desired, type DesiredConfig, isSameReport } from "./facts.ts";
import type { Observed, Told } from "./told.ts";

/** Pauses after the context was pushed whole and the guest said that it has another one, milliseconds; they double. */
const MISSES: Pace = { firstMs: 500, longestMs: 60_000 };

/** What is to be, what is and what was said, and what follows from them. */
export class View {
  readonly observed: Observed;
  readonly told: Told;
  readonly #desired: Desired | undefined;
  #context: ContextStep | undefined;

  constructor(desired: Desired | undefined, observed: Observed, told: Told) {
    this.#desired = desired;
    this.observed = observed;
    this.told = told;
  }

  /** False if what is to be there has to be looked up first. Nothing below may be asked then. */
  get isKnown(): boolean {
    return this.#desired !== undefined;
  }

  get desired(): Desired {
    if (this.#desired === undefined) throw new Error("what is to be there is not known");
    return this.#desired;
  }

  /** The guest has what the store does not know: a higher revision, or the same one with another digest. */
  get isAhead(): boolean {
    return isAhead(this.observed, this.desired.config);
  }

  /** Why this boot turned the desired revision down, in this life of the program or before; undefined if it did not. */
  get refusal(): string | undefined {
    return refusalOf(this.observed, this.told, this.desired.config);
  }

  /** The desired configuration is neither in force nor refused. */
  get isConfigOpen(): boolean {
    return this.refusal === undefined && !isInForce(this.observed, this.told, this.desired.config);
  }

  /** What is left to be done for the context. */
  get context(): ContextStep {
    this.#context ??= contextStep(this.desired.contexts, this.observed, this.told);
    return this.#context;
  }

  /** Why the context will not be as it is to be; undefined if it is. */
  get stuck(): string | undefined {
    const { context } = this;
    return context.kind === "inPlace"
      ? whyStuck(this.desired.contexts, context.entries, this.told)
      : undefined;
  }

  /** Why another round is needed. */
  get failure(): string {
    const { configFailure, contextFailure } = this.told.round;
    if (this.isConfigOpen)
      return configFailure || `the agent reports revision ${this.observed.said.configRevision ?? 0}`;
    return contextFailure || "the agent has another context than was pushed";
  }

  /** Least pause before that, milliseconds. */
  get failureMs(): number {
    return this.context.kind === "unlike" ? longestPauseMs(MISSES, this.told.misses) : 0;
  }
}

/** True if the guest has what the store does not know: a higher revision, or the same one with another digest. */
function isAhead({ reports, revision, sha256 }: Observed, { record, ...wanted }: DesiredConfig): boolean {
  if (!reports) return false;
  if (revision !== record.revision) return revision > record.revision;
  return wanted.sha256 !== undefined && sha256 !== wanted.sha256;
}

function isInForce(observed: Observed, told: Told, { record, sha256 }: DesiredConfig): boolean {
  const { revision } = record;
  if (!observed.reports) return told.assumed === revision;
  return !observed.isDoubtful && sha256 !== undefined && isSameReport(observed, { revision, sha256 });
}

function refusalOf(observed: Observed, { refused }: Told, { record }: DesiredConfig): string | undefined {
  if (refused?.revision === record.revision && refused.bootId === observed.bootId) return refused.reason;
  const { outcome, bootId, reason } = record.verdict;
  return outcome === "refused" && bootId !== "" && bootId === observed.bootId ? reason : undefined;
}
