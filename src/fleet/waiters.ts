import type { ContextRecord } from "../store/store.ts";
import { notApplied, type Verdict } from "./push.ts";

/** What became of a configuration that somebody waits for. */
export interface ConfigOutcome extends Verdict {
  /** Number that it has now: another one where it had to be raised above what the guest had. */
  readonly revision: number;
}

interface ConfigWaiter {
  revision: number;
  readonly resolve: (outcome: ConfigOutcome) => void;
}

interface ContextWaiter {
  readonly record: ContextRecord;
  /** Counts up with each waiter, so that a look at the store is known to be later. */
  readonly ticket: number;
  readonly resolve: (verdict: Verdict) => void;
}

/** Those who pushed something and wait for the guest's word on it. Everybody gets one answer. */
export interface Waiters {
  config(revision: number): Promise<ConfigOutcome>;
  context(record: ContextRecord): Promise<Verdict>;
  /** The guest's word on a revision; those who wait for a lower one are told that it was overtaken. */
  configJudged(revision: number, verdict: Verdict): void;
  /** A revision got another number. */
  configRaised(from: number, to: number): void;
  /** The guest's word on an entry. */
  contextJudged(key: string, version: string, verdict: Verdict): void;
  /** Number of the last one; whoever waits with a higher one came after it was asked for. */
  readonly lastTicket: number;
  /** Those up to a ticket who wait for what is no longer the store's entry are told that it was overtaken. */
  contextsAre(contexts: readonly ContextRecord[], lastTicket: number): void;
  /** Removals that somebody waits for. */
  removals(): readonly ContextRecord[];
  /** Tells everybody. */
  endAll(reason: string): void;
}

/** Most that wait at once. */
const MOST = 256;

/** Behind the pass that found it out: whoever is told looks at a state that says the same. */
function answer<T>(resolve: (value: T) => void, value: T): void {
  setImmediate(() => resolve(value));
}

/** Makes the waiters of one agent. */
export function createWaiters(): Waiters {
  let configs: ConfigWaiter[] = [];
  let contexts: ContextWaiter[] = [];
  let lastTicket = 0;

  const isFull = () => configs.length + contexts.length >= MOST;
  const tooMany = notApplied("too many pushes wait for this agent");

  /** Tells those that the test picks, and keeps the others. */
  function tellContexts(pick: (waiter: ContextWaiter) => boolean, verdict: Verdict): void {
    const told = contexts.filter(pick);
    if (told.length === 0) return;
    contexts = contexts.filter((waiter) => !pick(waiter));
    for (const { resolve } of told) answer(resolve, verdict);
  }

  return {
    config(revision) {
      if (isFull()) return Promise.resolve({ ...tooMany, revision });
      return new Promise((resolve) => configs.push({ revision, resolve }));
    },
    context(record) {
      if (isFull()) return Promise.resolve(tooMany);
      const ticket = ++lastTicket;
      return new Promise((resolve) => contexts.push({ record, ticket, resolve }));
    },
    configJudged(revision, verdict) {
      const told = configs.filter((waiter) => waiter.revision <= revision);
      configs = configs.filter((waiter) => waiter.revision > revision);
      const overtaken = notApplied(`superseded by revision ${revision}`);
      for (const waiter of told) {
        const isIts = waiter.revision === revision;
        answer(waiter.resolve, { ...(isIts ? verdict : overtaken), revision: waiter.revision });
      }
    },
    configRaised(from, to) {
      for (const waiter of configs) if (waiter.revision === from) waiter.revision = to;
    },
    contextJudged(key, version, verdict) {
      tellContexts(({ record }) => record.key === key && record.version === version, verdict);
    },
    get lastTicket() {
      return lastTicket;
    },
    contextsAre(now, last) {
      if (contexts.length === 0) return;
      const versions = new Map(now.map(({ key, version }) => [key, version]));
      const isCurrent = ({ key, version, payload }: ContextRecord) =>
        payload["context"] === "" ? !versions.has(key) : versions.get(key) === version;
      tellContexts(
        ({ record, ticket }) => ticket <= last && !isCurrent(record),
        notApplied("superseded by a later change of the same entry"),
      );
    },
    removals: () => contexts.map(({ record }) => record).filter(({ payload }) => payload["context"] === ""),
    endAll(reason) {
      const verdict = notApplied(reason);
      const told = configs;
      configs = [];
      for (const { resolve, revision } of told) answer(resolve, { ...verdict, revision });
      tellContexts(() => true, verdict);
    },
  };
}
