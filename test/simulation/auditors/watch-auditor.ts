import type { Clock } from "../engine/clock.ts";
import type { Fact, Shown, Watched } from "../engine/facts.ts";
import type { Auditor, Verdicts } from "../engine/history.ts";

/** What one watcher knows. */
interface View {
  readonly host: string;
  readonly looks: Map<string, string>;
  /** Agents whose look is another one than the watcher was told, and since when. */
  readonly due: Map<string, number>;
  /** The whole of it came; before, nothing is due. */
  isComplete: boolean;
}

/** A change is due at a watcher that reads everything once it is as old as this. */
const DUE_MS = 900;

/** (c) Watchers see every change or a resync. */
export class WatchAuditor implements Auditor {
  readonly #verdicts: Verdicts;
  readonly #clock: Clock;
  readonly #views = new Map<string, View>();
  /** How each agent looks at each host. */
  readonly #looks = new Map<string, Map<string, string>>();

  constructor(verdicts: Verdicts, clock: Clock) {
    this.#verdicts = verdicts;
    this.#clock = clock;
  }

  see(fact: Fact): void {
    if (fact.kind === "shown") this.#seeShown(fact);
    else if (fact.kind === "watched") this.#seeWatched(fact);
    else if (fact.kind === "fault" && fact.name === "host lost") this.#forget(fact.target);
  }

  end(): void {}

  #seeShown({ host, agent, look }: Shown): void {
    const looks = this.#looks.get(host) ?? new Map<string, string>();
    this.#looks.set(host, looks.set(agent, look));
    for (const view of this.#views.values())
      if (view.host === host && view.isComplete && !view.due.has(agent)) view.due.set(agent, this.#clock.now);
  }

  #seeWatched({ watcher, host, event, agent, look }: Watched): void {
    if (event === "begin") {
      this.#views.set(watcher, { host, looks: new Map(), due: new Map(), isComplete: false });
      return;
    }
    const view = this.#views.get(watcher);
    if (view === undefined) return;
    if (event === "end") return void this.#views.delete(watcher);
    if (event === "resync") {
      view.isComplete = false;
      return view.due.clear();
    }
    if (event === "complete") view.isComplete = true;
    else if (event === "idle") this.#checkDue(watcher, view);
    else if (this.#looks.get(host)?.get(agent) === look) view.due.delete(agent);
    view.looks.set(agent, look);
  }

  #checkDue(watcher: string, { due }: View): void {
    for (const [agent, since] of due) {
      const late = this.#clock.now - since;
      if (late > DUE_MS)
        this.#verdicts.fail(
          "c: every change",
          `${watcher} was told nothing of ${agent} for ${Math.round(late)} ms`,
        );
    }
  }

  /** The host is gone without a word: its watchers hear nothing more, and its agents change no more. */
  #forget(host: string): void {
    for (const [watcher, view] of this.#views) if (view.host === host) this.#views.delete(watcher);
  }
}
