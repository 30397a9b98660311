import type { Called, Fact } from "../engine/facts.ts";
import type { Auditor, Verdicts } from "../engine/history.ts";

/** The breach that is known: no host remembers all runs yet, so a guest that was put back to before a request takes it again. */
export const RUNS_AGAIN = "a restored or forked guest runs a request again";

/** (a) The model is called at most once for each request_id, by any one machine, and by copies of it only as they are known to. */
export class OnceAuditor implements Auditor {
  readonly #verdicts: Verdicts;
  readonly #called = new Map<string, Called>();
  /** Agents of which a copy was put in a machine's place, or beside it. */
  readonly #copied = new Set<string>();

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  see(fact: Fact): void {
    if (fact.kind === "called") this.#see(fact);
    else if (fact.kind === "fault" && (fact.name === "guest restored" || fact.name === "guest forked"))
      this.#copied.add(fact.target.split(".")[0] ?? "");
  }

  end(): void {}

  #see(fact: Called): void {
    const { agent, machine, run, call, again } = fact;
    const before = this.#called.get(`${agent}/${run}`);
    this.#called.set(`${agent}/${run}`, fact);
    if (before === undefined) return;
    const text = `${run} was run by ${machine} as ${call}, and before by ${before.machine} as ${before.call}`;
    if (again || !this.#copied.has(agent)) this.#verdicts.fail("a: once", text);
    else this.#verdicts.known(RUNS_AGAIN);
  }
}
