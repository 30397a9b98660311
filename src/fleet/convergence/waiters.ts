import { APPLIED, type ContextEntry, notApplied, type Verdict } from "./facts.ts";
import type { ConvergenceOutput } from "./output.ts";
import type { Entries, Refusal } from "./told.ts";

/** Where answers go. */
type WaiterOutput = Pick<ConvergenceOutput, "configJudged" | "contextJudged">;

interface ConfigWaiter {
  readonly waiter: number;
  readonly revision: number;
}

interface ContextWaiter {
  readonly waiter: number;
  readonly entry: ContextEntry;
  /** Counts up with each, so that a look at the store is known to be later. */
  readonly ticket: number;
  /** Another entry took its place before the guest's word on it: the verdict on that one decides what is said. */
  readonly isOvertaken: boolean;
}

const NONE: readonly never[] = [];

/** Most that wait at once for one agent. */
const MOST = 256;

const TOO_MANY = notApplied("too many pushes wait for this agent");
const OVERTAKEN = "superseded by a later change of the same entry";

/** Those who pushed something and wait for the guest's word on it, by numbers of their own. */
export class Waiters {
  readonly #output: WaiterOutput;
  #configs: readonly ConfigWaiter[] = NONE;
  #contexts: readonly ContextWaiter[] = NONE;
  #lastTicket = 0;

  constructor(output: WaiterOutput) {
    this.#output = output;
  }

  /** How many wait. */
  get size(): number {
    return this.#configs.length + this.#contexts.length;
  }

  /** Number of the last one for a context entry; whoever waits with a higher one came after it was asked for. */
  get lastTicket(): number {
    return this.#lastTicket;
  }

  /** Somebody waits for the verdict on a revision. */
  addConfig(waiter: number, revision: number): void {
    if (this.#hasRoom()) this.#configs = [...this.#configs, { waiter, revision }];
    else this.#output.configJudged(waiter, { ...TOO_MANY, revision });
  }

  /** Somebody waits for the verdict on a context entry. */
  addContext(waiter: number, entry: ContextEntry): void {
    if (!this.#hasRoom()) return this.#output.contextJudged(waiter, TOO_MANY);
    const ticket = ++this.#lastTicket;
    this.#contexts = [...this.#contexts, { waiter, entry, ticket, isOvertaken: false }];
  }

  /** The guest's word on a revision; those who wait for a lower one are told that it was overtaken. */
  configJudged(revision: number, verdict: Verdict): void {
    if (this.#configs.length === 0) return;
    const told = this.#configs.filter((one) => one.revision <= revision);
    this.#configs = this.#configs.filter((one) => one.revision > revision);
    const overtaken = notApplied(`superseded by revision ${revision}`);
    for (const one of told) {
      const outcome = one.revision === revision ? verdict : overtaken;
      this.#output.configJudged(one.waiter, { ...outcome, revision: one.revision });
    }
  }

  /** A revision got another number. */
  configRaised(from: number, to: number): void {
    this.#configs = this.#configs.map((one) => (one.revision === from ? { ...one, revision: to } : one));
  }

  /** These are the store's entries, as a look found them that began after `lastTicket` came and before the next one. */
  contextsAre(entries: readonly ContextEntry[], lastTicket: number): void {
    if (this.#contexts.length === 0) return;
    const versions = new Map(entries.map(({ key, version }) => [key, version]));
    const isCurrent = ({ key, version, payload }: ContextEntry) =>
      payload["context"] === "" ? !versions.has(key) : versions.get(key) === version;
    this.#contexts = this.#contexts.map((one) =>
      one.ticket <= lastTicket && !isCurrent(one.entry) ? { ...one, isOvertaken: true } : one,
    );
  }

  /** The guest's word on an entry. Whoever waits for one whose place it took hears what became of that. */
  contextJudged(key: string, version: string, verdict: Verdict): void {
    const its = this.#contexts.find(({ entry }) => entry.key === key && entry.version === version);
    this.#tell(({ entry, isOvertaken, ticket }) => {
      if (entry.key !== key) return undefined;
      // Whoever came before it was overtaken by it, though no look at the store has shown that yet.
      if (isOvertaken || (its !== undefined && ticket < its.ticket)) return overtakenBy(verdict);
      return entry.version === version ? verdict : undefined;
    });
  }

  /** Every entry was brought or turned down: answers those who wait for what the guest had already, or had turned down before. */
  contextInPlace(
    entries: readonly ContextEntry[],
    held: Entries,
    refusals: ReadonlyMap<string, Refusal>,
  ): void {
    if (this.#contexts.length === 0) return;
    const wanted = new Map(entries.map((entry) => [entry.key, entry]));
    const verdictOn = (key: string, version: string): Verdict | undefined => {
      const refusal = refusals.get(key);
      if (refusal?.version === version) return { applied: false, refused: true, reason: refusal.reason };
      return held.get(key)?.version === version ? APPLIED : undefined;
    };
    this.#tell(({ entry, isOvertaken }) => {
      const now = wanted.get(entry.key);
      if (isOvertaken) return overtakenBy((now && verdictOn(now.key, now.version)) ?? APPLIED);
      if (entry.payload["context"] === "") return held.has(entry.key) ? undefined : APPLIED;
      return now?.version === entry.version ? verdictOn(entry.key, entry.version) : undefined;
    });
  }

  /** Removals that somebody waits for. */
  removals(): readonly ContextEntry[] {
    if (this.#contexts.length === 0) return NONE;
    return this.#contexts
      .filter(({ entry, isOvertaken }) => !isOvertaken && entry.payload["context"] === "")
      .map(({ entry }) => entry);
  }

  /** Tells everybody. */
  endAll(reason: string): void {
    const verdict = notApplied(reason);
    const told = this.#configs;
    this.#configs = NONE;
    for (const { waiter, revision } of told) this.#output.configJudged(waiter, { ...verdict, revision });
    this.#tell(() => verdict);
  }

  /** True if one more may wait: the oldest one whose entry was overtaken makes room for it. */
  #hasRoom(): boolean {
    if (this.size < MOST) return true;
    const oldest = this.#contexts.find(({ isOvertaken }) => isOvertaken);
    if (oldest === undefined) return false;
    this.#tell((one) => (one === oldest ? notApplied(OVERTAKEN) : undefined));
    return true;
  }

  /** Tells those for whom there is a verdict, and keeps the others. */
  #tell(verdictFor: (one: ContextWaiter) => Verdict | undefined): void {
    if (this.#contexts.length === 0) return;
    const told: [number, Verdict][] = [];
    const kept: ContextWaiter[] = [];
    for (const one of this.#contexts) {
      const verdict = verdictFor(one);
      if (verdict === undefined) kept.push(one);
      else told.push([one.waiter, verdict]);
    }
    this.#contexts = kept.length === 0 ? NONE : kept;
    for (const [waiter, verdict] of told) this.#output.contextJudged(waiter, verdict);
  }
}

/** What one hears whose entry was overtaken: with the later one refused, both are lost. */
function overtakenBy({ refused }: Verdict): Verdict {
  return notApplied(refused ? `${OVERTAKEN}, which the agent refused: neither is kept` : OVERTAKEN);
}
