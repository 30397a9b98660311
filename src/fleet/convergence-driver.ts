import { monotonicNow } from "@valinor/protocol";
import { waitAtMost } from "../waits/waits.ts";
import type { Connection } from "../link/connection.ts";
import type { AgentKey, ConfigRecord, ContextRecord } from "../store/store.ts";
import { Convergence } from "./convergence/convergence.ts";
import type {
  ConfigOutcome,
  ConfigState,
  ContextPush,
  LinkedGuest,
  Verdict,
  VerdictEntry,
} from "./convergence/facts.ts";
import type { ConvergenceOutput } from "./convergence/output.ts";
import { earlier } from "./convergence/pace.ts";
import { Promised } from "./promised.ts";
import type { Requests } from "./requests.ts";

/** Whose driver it is. */
export interface DriverOwner {
  readonly key: AgentKey;
  /** The desired revision, the state or what is observed may have changed. */
  changed(): void;
}

/** After an error that nobody expects it is tried again, milliseconds. */
const FAULT_PAUSE_MS = 5_000;

/** Carries out what the kernel of convergence asks for one agent: the store, the secrets, the pushes over the link, the timer. */
export class ConvergenceDriver implements ConvergenceOutput {
  readonly #owner: DriverOwner;
  readonly #requests: Requests;
  readonly #kernel: Convergence;
  #connection: Connection | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt: number | undefined;
  /** When it is tried again after an error that nobody expects. */
  #faultAt: number | undefined;
  /** Those who wait for a verdict; made for the first of them. */
  #configs: Promised<ConfigOutcome> | undefined;
  #contexts: Promised<Verdict> | undefined;
  /** Those who wait until the state is no longer pending. */
  #watchers: Set<() => void> | undefined;

  constructor(owner: DriverOwner, requests: Requests) {
    this.#owner = owner;
    this.#requests = requests;
    this.#kernel = new Convergence(this, Math.random);
  }

  /** Where the agent stands. */
  get state(): ConfigState {
    return this.#kernel.state;
  }

  /** As Convergence.observedRevision. */
  get observedRevision(): number {
    return this.#kernel.observedRevision;
  }

  /** As Convergence.desiredRevision. */
  get desiredRevision(): number {
    return this.#kernel.desiredRevision;
  }

  /** A link is up: what the guest lacks is pushed. */
  connected(connection: Connection): void {
    this.#connection = connection;
    this.#input((kernel, now) => kernel.connected(guestOf(connection), now));
  }

  /** The link is down. */
  disconnected(): void {
    this.#connection = undefined;
    this.#input((kernel) => kernel.disconnected());
  }

  /** A heartbeat came. */
  heartbeat(connection: Connection): void {
    if (connection !== this.#connection) return;
    this.#input((kernel, now) => kernel.heartbeat(connection.heartbeat, now));
  }

  /** A new revision was stored: pushes it, and resolves with the guest's verdict on that one, however late. Never rejects. */
  configStored(config: ConfigRecord): Promise<ConfigOutcome> {
    this.#configs ??= new Promised();
    const desired = this.#requests.desiredOf(this.#owner.key, config);
    return this.#configs.wait((waiter) =>
      this.#input((kernel, now) => kernel.configStored(desired, waiter, now)),
    );
  }

  /** A context entry was stored: pushes it, and resolves with the guest's verdict on that one, however late. Never rejects. */
  contextStored(entry: ContextRecord): Promise<Verdict> {
    this.#contexts ??= new Promised();
    return this.#contexts.wait((waiter) =>
      this.#input((kernel, now) => kernel.contextStored(entry, waiter, now)),
    );
  }

  /** The store may hold something else; `certain`: it does. */
  storeChanged(certain: boolean): void {
    this.#input((kernel, now) => kernel.storeChanged(certain, now));
  }

  /** Recreated under the same id: forget what was observed. */
  agentRecreated(): void {
    this.#input((kernel, now) => kernel.agentRecreated(now));
  }

  /** Resolves when the state is no longer pending, or when `ms` are over or the signal aborts. Never rejects. */
  async settled(ms: number, signal: AbortSignal): Promise<void> {
    if (this.state.kind !== "pending") return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const watchers = (this.#watchers ??= new Set<() => void>());
    watchers.add(resolve);
    await waitAtMost(promise, ms, signal);
    watchers.delete(resolve);
    if (watchers.size === 0 && this.#watchers === watchers) this.#watchers = undefined;
  }

  /** Ends it: whoever waits for a verdict is told. */
  close(): void {
    this.#connection = undefined;
    this.#input((kernel) => kernel.close());
    clearTimeout(this.#timer);
  }

  load(): void {
    this.#ask(this.#requests.load(this.#owner.key), (kernel, found, now) => {
      if ("reason" in found) kernel.loadFailed(found.reason, now);
      else kernel.loaded(found, now);
    });
  }

  raise(above: number): void {
    this.#ask(this.#requests.raise(this.#owner.key, above), (kernel, found, now) => {
      if ("reason" in found) kernel.raiseFailed(found.isExhausted, found.reason, now);
      else kernel.raised(found, now);
    });
  }

  pushConfig(config: ConfigRecord): void {
    this.#ask(this.#requests.pushConfig(this.#owner.key, this.#connection, config), (kernel, answer, now) =>
      kernel.configAnswered(answer, now),
    );
  }

  pushContext(push: ContextPush): void {
    this.#ask(this.#requests.pushContext(this.#owner.key, this.#connection, push), (kernel, answer, now) =>
      kernel.contextAnswered(answer, now),
    );
  }

  record(verdict: VerdictEntry): void {
    this.#ask(this.#requests.record(this.#owner.key, verdict), (kernel, isWritten, now) => {
      if (isWritten) kernel.recorded(now);
      else kernel.recordFailed(now);
    });
  }

  configJudged(waiter: number, outcome: ConfigOutcome): void {
    this.#configs?.resolve(waiter, outcome);
    if (this.#configs?.isEmpty === true) this.#configs = undefined;
  }

  contextJudged(waiter: number, verdict: Verdict): void {
    this.#contexts?.resolve(waiter, verdict);
    if (this.#contexts?.isEmpty === true) this.#contexts = undefined;
  }

  changed(): void {
    this.#owner.changed();
    if (this.#watchers === undefined || this.state.kind === "pending") return;
    for (const wake of this.#watchers) wake();
  }

  /** Hands the kernel the answer to a request, which never rejects. */
  #ask<A>(request: Promise<A>, take: (kernel: Convergence, answer: A, now: number) => void): void {
    void request.then((answer) => this.#input((kernel, now) => take(kernel, answer, now)));
  }

  /** Hands the kernel what happened, and sets the timer for what it waits for. */
  #input(give: (kernel: Convergence, now: number) => void): void {
    const now = monotonicNow();
    try {
      give(this.#kernel, now);
    } catch (error) {
      this.#requests.unexpected(
        this.#owner.key,
        "the convergence of an agent has failed, and is tried again",
        error,
      );
      this.#faultAt = now + FAULT_PAUSE_MS;
    }
    this.#arm(now);
  }

  #arm(now: number): void {
    const at = earlier(this.#kernel.nextWake, this.#faultAt);
    if (at === this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer =
      at === undefined ? undefined : setTimeout(() => this.#tick(), Math.ceil(Math.max(0, at - now))).unref();
  }

  #tick(): void {
    this.#timerAt = undefined;
    const isFault = this.#faultAt !== undefined && this.#faultAt <= monotonicNow();
    if (!isFault) return this.#input((kernel, now) => kernel.tick(now));
    this.#faultAt = undefined;
    const connection = this.#connection;
    // As on another link: nothing of the round that failed is gone on with.
    if (connection !== undefined) this.#input((kernel, now) => kernel.connected(guestOf(connection), now));
  }
}

function guestOf({ bootId, heartbeat, guest }: Connection): LinkedGuest {
  return { bootId, heartbeat, reports: guest.reports };
}
