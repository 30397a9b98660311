import type { Situation } from "./decide.ts";
import {
  type ConfigAnswer,
  type ConfigState,
  type ContextAnswer,
  type ContextEntry,
  type Desired,
  type DesiredConfig,
  type LinkedGuest,
  notApplied,
  type Said,
} from "./facts.ts";
import { Knowledge } from "./knowledge.ts";
import type { ConvergenceOutput } from "./output.ts";
import { earlier, Gap } from "./pace.ts";
import { PUSHING, Rounds } from "./rounds.ts";

const REMOVED = notApplied("the agent was removed");

/**
 * Makes one guest have what the store holds: on connect, on change and on a heartbeat that differs. It goes in rounds. In each one it
 * looks at what is to be and at what is, and pushes what differs, one push after the other (decide.ts has the table). What changes
 * meanwhile is looked at in the next round, so that nothing in between is ever pushed.
 *
 * `now` is monotonic milliseconds. What the driver has to do goes out by ConvergenceOutput; no input may be called from inside it.
 */
export class Convergence {
  readonly #output: ConvergenceOutput;
  readonly #known: Knowledge;
  readonly #rounds: Rounds;
  readonly #gap = new Gap();
  /** A heartbeat told something else than was known, and nothing was pushed since. */
  #isDoubted = false;
  #isClosed = false;

  /** `random` gives a number from 0 up to 1. */
  constructor(output: ConvergenceOutput, random: () => number) {
    this.#output = output;
    this.#known = new Knowledge(output);
    this.#rounds = new Rounds(output, this.#known, random);
  }

  /** Where the agent stands. */
  get state(): ConfigState {
    return this.#rounds.state;
  }

  /** The row of the table (decide.ts) that held last. */
  get situation(): Situation | "away" {
    return this.#rounds.situation;
  }

  /** Revision that the guest last acknowledged or reported; it does not fall while its boot stays. 0 before the first. */
  get observedRevision(): number {
    return this.#known.observed.revision;
  }

  /** Latest revision of the desired configuration that is known; 0 before the first look. */
  get desiredRevision(): number {
    return this.#known.desired.revision;
  }

  /** When `tick` has something to do; undefined: not before another input. */
  get nextWake(): number | undefined {
    if (this.#isClosed) return undefined;
    return earlier(earlier(this.#rounds.pauseEndsAt, this.#gap.wakeAt), this.#known.verdicts.nextWake);
  }

  /** A link is up: what the guest lacks is pushed. */
  connected(guest: LinkedGuest, now: number): void {
    if (this.#isClosed) return;
    this.#leaveLink();
    this.#rounds.join(guest);
    this.#known.connected(guest);
    this.#rounds.pending(PUSHING);
    this.#rounds.touch(now);
  }

  /** The link is down. */
  disconnected(): void {
    if (this.#isClosed) return;
    this.#leaveLink();
    this.#rounds.pending("the agent is away");
  }

  /** A heartbeat came over the link that is up. */
  heartbeat(said: Said, now: number): void {
    const { link } = this.#rounds;
    if (link === undefined) return;
    this.#known.observed.said = said;
    const news = this.#known.newsOfHeartbeat(link.bootId);
    // It holds at once, also if the guest contradicts itself all the time: then it is pushed to when the gap is open.
    if (news !== undefined && this.state.kind !== "pending") this.#rounds.pending(news);
    // The end of a round looks at it.
    if (this.#rounds.isInRound) return;
    this.#isDoubted ||= news !== undefined;
    this.#look(now);
  }

  /** A new revision was stored: it is pushed, and whoever waits under this number gets the guest's verdict on it, however late. */
  configStored(config: DesiredConfig, waiter: number, now: number): void {
    const { revision } = config.record;
    if (this.#isClosed) return this.#output.configJudged(waiter, { ...REMOVED, revision });
    this.#known.desired.stored(config);
    this.#known.waiters.addConfig(waiter, revision);
    if (this.#rounds.link !== undefined) this.#rounds.pending(PUSHING);
    this.#rounds.touch(now);
  }

  /** A context entry was stored or removed; as `configStored`. */
  contextStored(entry: ContextEntry, waiter: number, now: number): void {
    if (this.#isClosed) return this.#output.contextJudged(waiter, REMOVED);
    this.#known.desired.stale();
    this.#known.waiters.addContext(waiter, entry);
    if (this.#rounds.link !== undefined) this.#rounds.pending("context is being pushed");
    this.#rounds.touch(now);
  }

  /** The store may hold something else; `certain`: it does. */
  storeChanged(certain: boolean, now: number): void {
    if (this.#isClosed) return;
    this.#known.desired.stale();
    if (certain && this.#rounds.link !== undefined) this.#rounds.pending(PUSHING);
    this.#rounds.touch(now);
  }

  /** Recreated under the same id: forget what was observed. Whoever waits is told. */
  agentRecreated(now: number): void {
    if (this.#isClosed) return;
    this.#rounds.nextLife();
    this.#known.forget();
    this.storeChanged(true, now);
  }

  /** Answer to `load`. */
  loaded(desired: Desired, now: number): void {
    this.#rounds.loaded(desired, now);
  }

  /** Answer to `load`: the store did not do it. */
  loadFailed(reason: string, now: number): void {
    this.#rounds.loadFailed(reason, now);
  }

  /** Answer to `raise`: the configuration has this number now. */
  raised(config: DesiredConfig, now: number): void {
    this.#rounds.raised(config, now);
  }

  /** Answer to `raise`: the store did not do it. `isExhausted`: there is no number above the guest's. */
  raiseFailed(isExhausted: boolean, reason: string, now: number): void {
    this.#rounds.raiseFailed(isExhausted, reason, now);
  }

  /** Answer to `pushConfig`. */
  configAnswered(answer: ConfigAnswer, now: number): void {
    this.#rounds.configAnswered(answer, now);
  }

  /** Answer to `pushContext`. */
  contextAnswered(answer: ContextAnswer, now: number): void {
    this.#rounds.contextAnswered(answer, now);
  }

  /** Answer to `record`. */
  recorded(now: number): void {
    if (!this.#isClosed) this.#known.verdicts.recorded(now);
  }

  /** Answer to `record`: the store did not do it. It is tried again. */
  recordFailed(now: number): void {
    if (!this.#isClosed) this.#known.verdicts.failed(now);
  }

  /** Time has passed. */
  tick(now: number): void {
    if (this.#isClosed) return;
    this.#known.verdicts.tick(now);
    const { wakeAt } = this.#gap;
    if (wakeAt !== undefined && wakeAt <= now) {
      this.#gap.woken();
      this.heartbeat(this.#known.observed.said, now);
    }
    const { pauseEndsAt } = this.#rounds;
    if (pauseEndsAt !== undefined && pauseEndsAt <= now) this.#rounds.touch(now);
  }

  /** Ends it: whoever waits is told, and nothing is asked of the driver any more. */
  close(): void {
    this.#isClosed = true;
    this.#leaveLink();
    this.#known.waiters.endAll(REMOVED.reason);
  }

  /** Looks at a heartbeat while no round is under way. */
  #look(now: number): void {
    const { observed, desired } = this.#known;
    if (!this.#gap.isOpen(now)) return;
    const isBack = observed.becameReady() && this.state.kind === "pending";
    observed.sawReady();
    if (!this.#isDoubted && !isBack) return;
    this.#isDoubted = false;
    this.#gap.use(now);
    // What the guest has may be what another process stored and pushed.
    desired.stale();
    this.#rounds.touch(now);
  }

  #leaveLink(): void {
    this.#rounds.leave();
    this.#gap.reset();
    this.#isDoubted = false;
  }
}
