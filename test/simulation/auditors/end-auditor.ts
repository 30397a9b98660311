import type { Fact } from "../engine/facts.ts";
import type { Auditor, Verdicts } from "../engine/history.ts";

/** Of what may be left at rest: those that stand for somebody who waits. */
export const WAITING: ReadonlySet<string> = new Set(["calls", "waiters"]);

/** (e) Nobody waits for ever: whatever a client began is over once the faults are, and ends once. */
export class EndAuditor implements Auditor {
  readonly #verdicts: Verdicts;
  readonly #open = new Map<string, string>();

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  see(fact: Fact): void {
    if (fact.kind === "began") this.#open.set(fact.op, fact.what);
    else if (fact.kind === "rest" && WAITING.has(fact.what) && fact.left > fact.most)
      this.#verdicts.fail("e: nobody waits for ever", `${fact.who} has ${fact.left} ${fact.what} at rest`);
    else if (fact.kind === "ended" && !this.#open.delete(fact.op))
      this.#verdicts.fail("e: ends once", `${fact.op} ended twice`);
  }

  end(): void {
    for (const [op, what] of this.#open)
      this.#verdicts.fail("e: nobody waits for ever", `${what} ${op} is not over`);
  }
}
