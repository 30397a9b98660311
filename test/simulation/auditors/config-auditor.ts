import type { Fact, Judged, Observed, Said, Settled } from "../engine/facts.ts";
import type { Auditor, Verdicts } from "../engine/history.ts";

/** (b) `applied` is never said of what is not in force; what is observed never goes back within a boot; all converge in the end. */
export class ConfigAuditor implements Auditor {
  readonly #verdicts: Verdicts;
  readonly #observed = new Map<string, Observed>();
  /** Revisions that were in force at some time, by boot of each machine. */
  readonly #wasInForce = new Set<string>();

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  see(fact: Fact): void {
    if (fact.kind === "said") this.#seeSaid(fact);
    else if (fact.kind === "in force") this.#wasInForce.add(`${fact.machine} ${fact.boot} ${fact.revision}`);
    else if (fact.kind === "judged") this.#seeJudged(fact);
    else if (fact.kind === "observed") this.#seeObserved(fact);
    else if (fact.kind === "settled") this.#seeSettled(fact);
  }

  end(): void {}

  #seeSaid({ host, agent, state, revision, config, context, truth }: Said): void {
    if (state !== "applied") return;
    const isTrue = truth !== undefined && truth.revision === revision && truth.config === config;
    if (!isTrue)
      return this.#fail(
        "applied",
        `${host} says that ${agent} has revision ${revision}: ${JSON.stringify(truth)}`,
      );
    if (truth.context !== context)
      this.#fail(
        "applied",
        `${host} says that ${agent} has its context: ${JSON.stringify(truth)}, not ${context}`,
      );
  }

  /** Whoever waits for the guest's word is told what it said: by then a later revision may have taken the place of that one. */
  #seeJudged({ host, agent, revision, isApplied, truth }: Judged): void {
    if (!isApplied || this.#wasInForce.has(`${truth?.machine} ${truth?.boot} ${revision}`)) return;
    this.#fail(
      "applied",
      `${host} told a client that ${agent} has revision ${revision}: ${JSON.stringify(truth)}`,
    );
  }

  #seeObserved(fact: Observed): void {
    const { host, agent, boot, revision } = fact;
    const before = this.#observed.get(`${host}/${agent}`);
    this.#observed.set(`${host}/${agent}`, fact);
    if (before?.boot === boot && revision < before.revision)
      this.#fail(
        "observed",
        `${host} showed revision ${before.revision} of ${agent}, boot ${boot}, and then ${revision}`,
      );
  }

  #seeSettled(fact: Settled): void {
    if (fact.mayRefuse || isConverged(fact)) return;
    const { host, agent, state, shown, desired, actual } = fact;
    this.#fail(
      "converges",
      `${host} has ${agent} as ${state}, ${shown}: it is to have ${desired}, and has ${actual}`,
    );
  }

  #fail(rule: string, text: string): void {
    this.#verdicts.fail(`b: ${rule}`, text);
  }
}

/** True if the guest has what it is to have, and the host knows that. */
export function isConverged({ state, shown, desired, actual }: Settled): boolean {
  const [revision] = desired.split(" ");
  return state === "applied" && desired === actual && shown === `${revision} ${revision}`;
}
