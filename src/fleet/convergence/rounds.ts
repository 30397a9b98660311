import { type Action, decide, type Situation } from "./decide.ts";
import type { Asked, LinkOf, What } from "./asked.ts";
import type {
  ConfigAnswer,
  ConfigState,
  ContextAnswer,
  Desired,
  DesiredConfig,
  LinkedGuest,
} from "./facts.ts";
import type { Knowledge } from "./knowledge.ts";
import type { ConvergenceOutput } from "./output.ts";
import { Pause, RaisePace } from "./pace.ts";
import type { Round } from "./told.ts";

const NOT_CONNECTED: ConfigState = { kind: "pending", reason: "not connected yet" };
const IN_FORCE: ConfigState = { kind: "applied" };
const ASSUMED: ConfigState = { kind: "assumed" };

/** Reason of a state in which something is being pushed. */
export const PUSHING = "configuration is being pushed";

/** The rounds of one agent: what the table says is done, one request after the other, until everything is settled. */
export class Rounds {
  readonly #output: ConvergenceOutput;
  readonly #random: () => number;
  readonly #known: Knowledge;
  readonly #pause = new Pause();
  readonly #raises = new RaisePace();
  #state = NOT_CONNECTED;
  #situation: Situation | "away" = "away";
  #link: LinkOf | undefined;
  /** Counts the agents that had this id. */
  #life = 0;
  #asked: Asked | undefined;
  #isDue = false;
  #isInRound = false;
  /** What is to be there in this round; undefined if it is to be looked up. */
  #wanted: Desired | undefined;

  constructor(output: ConvergenceOutput, known: Knowledge, random: () => number) {
    this.#output = output;
    this.#known = known;
    this.#random = random;
  }

  get state(): ConfigState {
    return this.#state;
  }

  /** The row of the table that held last. */
  get situation(): Situation | "away" {
    return this.#situation;
  }

  /** The link that is up, if one is. */
  get link(): LinkOf | undefined {
    return this.#link;
  }

  get isInRound(): boolean {
    return this.#isInRound;
  }

  /** When the pause before the next round is over; undefined if there is none. */
  get pauseEndsAt(): number | undefined {
    return this.#pause.endsAt;
  }

  /** The link is up. Nothing is done before `touch`. */
  join({ bootId, reports }: LinkedGuest): void {
    this.#link = { bootId, reports };
  }

  /** The link is down, or another one comes. */
  leave(): void {
    this.#link = undefined;
    this.#situation = "away";
    this.#endRound();
    this.#pause.reset();
  }

  /** Recreated under the same id: answers to what was asked are of the agent before. */
  nextLife(): void {
    this.#life++;
    this.#endRound();
  }

  /** Has a round begin now, or as soon as the one under way has ended. */
  touch(now: number): void {
    this.#isDue = true;
    this.#pause.end();
    this.#proceed(now);
  }

  /** Not in force yet. */
  pending(reason: string): void {
    this.#setState({ kind: "pending", reason });
  }

  /** Answer to `load`. */
  loaded(desired: Desired, now: number): void {
    this.#answered("load", now, ({ lastTicket }, { isOld }) => {
      if (isOld) return;
      const found = this.#known.desired.loaded(desired);
      this.#known.waiters.contextsAre(found.contexts, lastTicket);
      if (this.#isInRound) this.#want(found);
      this.#output.changed();
    });
  }

  /** Answer to `load`: the store did not do it. */
  loadFailed(reason: string, now: number): void {
    this.#known.desired.stale();
    this.#answered("load", now, (_, { isOld }) => {
      if (!isOld) this.#failed(reason, now);
    });
  }

  /** Answer to `raise`: the configuration has this number now. */
  raised(config: DesiredConfig, now: number): void {
    this.#answered("raise", now, (_, { isOld }) => {
      if (isOld) return;
      const current = this.#known.raised(config);
      if (this.#wanted !== undefined) this.#want({ ...this.#wanted, config: current });
      this.#output.changed();
    });
  }

  /** Answer to `raise`: the store did not do it. `isExhausted`: there is no number above the guest's. */
  raiseFailed(isExhausted: boolean, reason: string, now: number): void {
    this.#answered("raise", now, (_, { isOld }) => {
      if (isOld) return;
      if (isExhausted) this.#inRound({ isExhausted });
      else this.#failed(reason, now);
    });
  }

  /** Answer to `pushConfig`. */
  configAnswered(answer: ConfigAnswer, now: number): void {
    this.#answered("config", now, ({ config }, { link, isOld }) => {
      const isLost = link !== this.#link;
      if (isOld && !isLost) this.#known.observed.takeAck(link.bootId, answer);
      if (isOld) return;
      const configFailure = this.#known.configAnswered(config, link, answer, isLost, now);
      if (isLost) return;
      this.#inRound({ configFailure });
      const opened = this.#known.opened(config, answer.sha256);
      if (this.#wanted !== undefined) this.#want({ ...this.#wanted, config: opened });
    });
  }

  /** Answer to `pushContext`. Over a link that was lost it says nothing: on the next one everything is looked at anew. */
  contextAnswered(answer: ContextAnswer, now: number): void {
    this.#answered("context", now, ({ entry }, { link }) => {
      if (link !== this.#link) return;
      this.#inRound({ contextFailure: this.#known.contextAnswered(entry, answer) });
    });
  }

  /** Goes on as far as it can without an answer. */
  #proceed(now: number): void {
    while (this.#link !== undefined && this.#asked === undefined && (this.#isInRound || this.#isDue)) {
      if (!this.#isInRound) this.#beginRound();
      this.#act(this.#link, now);
    }
  }

  #beginRound(): void {
    this.#isDue = false;
    this.#isInRound = true;
    const { current } = this.#known.desired;
    if (current !== undefined) this.#want(current);
  }

  #endRound(): void {
    this.#isInRound = false;
    this.#wanted = undefined;
    this.#known.told.endRound();
  }

  #failed(reason: string, now: number): void {
    if (this.#isInRound) this.#situation = "failed";
    this.#again(reason, 0, now);
  }

  /** Ends the round: another one begins after a pause, or at once if something has changed meanwhile. */
  #again(reason: string, leastMs: number, now: number): void {
    if (!this.#isInRound) return;
    this.#endRound();
    if (this.#isDue) return;
    this.pending(reason);
    if (this.#known.observed.becameReady()) this.#isDue = true;
    else this.#pause.begin(leastMs, this.#random(), now);
  }

  /** Ends the round: nothing more is done until something changes. */
  #settle({ as, reason }: Action & { kind: "settle" }): void {
    this.#endRound();
    this.#pause.reset();
    if (this.#isDue) return;
    this.#known.desired.drop();
    if (as === "parked") this.pending(reason);
    else if (as === "refused") this.#setState({ kind: "refused", reason });
    else this.#setState(this.#known.observed.reports ? IN_FORCE : ASSUMED);
  }

  #act(link: LinkOf, now: number): void {
    const { told, waiters, observed } = this.#known;
    told.removals = waiters.removals();
    told.raiseInMs = this.#raises.waitMs(now);
    const { situation, actions } = decide(this.#wanted, observed, told);
    this.#situation = situation;
    for (const action of actions) this.#carryOut(action, link, now);
  }

  #carryOut(action: Action, link: LinkOf, now: number): void {
    const { desired, waiters } = this.#known;
    switch (action.kind) {
      case "load":
        if (this.#wanted !== undefined) this.#inRound({ confirmed: true });
        desired.asking();
        this.#ask({ kind: "load", lastTicket: waiters.lastTicket }, link);
        return this.#output.load();
      case "raise":
        this.#raises.use(now);
        this.#ask({ kind: "raise" }, link);
        return this.#output.raise(action.above);
      case "pushConfig":
        return this.#pushConfig(action.config, link);
      case "pushContext":
        return this.#pushContext(action, link);
      case "wait":
        return this.#again(action.reason, action.leastMs, now);
      case "settle":
        return this.#settle(action);
      default:
        if (this.#wanted !== undefined) this.#known.note(action, this.#wanted, link, now);
    }
  }

  #pushConfig(config: DesiredConfig, link: LinkOf): void {
    this.#inRound({ pushed: config.record.revision });
    // Of one that can't be opened it is said why until it can.
    if (config.sha256 !== undefined) this.pending(PUSHING);
    this.#ask({ kind: "config", config }, link);
    this.#output.pushConfig(config.record);
  }

  #pushContext({ push, held }: Action & { kind: "pushContext" }, link: LinkOf): void {
    this.#known.told.context = held;
    this.pending(PUSHING);
    this.#ask({ kind: "context", entry: push.entry }, link);
    this.#output.pushContext(push);
  }

  #ask(what: Asked["what"], link: LinkOf): void {
    this.#asked = { what, link, life: this.#life };
  }

  /** Takes the answer to what was asked, and goes on. `isOld`: it is of the agent that had the id before. */
  #answered<K extends Asked["what"]["kind"]>(
    kind: K,
    now: number,
    take: (what: What<K>, of: { readonly link: LinkOf; readonly isOld: boolean }) => void,
  ): void {
    const asked = this.#asked;
    if (asked?.what.kind !== kind) return;
    this.#asked = undefined;
    take(asked.what as What<K>, { link: asked.link, isOld: asked.life !== this.#life });
    this.#proceed(now);
  }

  /** What is to be there in this round. */
  #want(desired: Desired): void {
    this.#wanted = desired;
    this.#known.told.keepRefusals(desired.contexts);
  }

  #inRound(what: Partial<Round>): void {
    const { told } = this.#known;
    if (this.#isInRound) told.round = { ...told.round, ...what };
  }

  #setState(next: ConfigState): void {
    const isSame = next.kind === this.#state.kind && reasonOf(next) === reasonOf(this.#state);
    if (isSame) return;
    this.#state = next;
    this.#output.changed();
  }
}

function reasonOf(state: ConfigState): string {
  return "reason" in state ? state.reason : "";
}
