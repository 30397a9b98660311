import { backoffMs, pauseFor, waitAtMost } from "../link/backoff.ts";
import type { Connection } from "../link/connection.ts";
import type { ConfigRecord, ContextRecord } from "../store/store.ts";
import { notApplied, pushConfig, pushContext, type Verdict } from "./push.ts";

/** What an agent is to have, as the store holds it. */
export interface Desired {
  readonly config: ConfigRecord;
  readonly contexts: readonly ContextRecord[];
}

/** Where an agent stands between what it is to have and what it has. */
export type ConfigState =
  /** The guest acknowledged the desired revision and every context entry. */
  | { readonly kind: "applied" }
  /** Not yet: away, or not acknowledged. */
  | { readonly kind: "pending"; readonly reason: string }
  /** The guest turned the desired revision down; it is not pushed again until it changes. */
  | { readonly kind: "refused"; readonly reason: string };

/** Makes one guest have what the store holds: on connect, on change and on a heartbeat that differs. */
export interface Convergence {
  readonly state: ConfigState;
  /** Revision that the guest last acknowledged or reported; 0 before the first. */
  readonly observedRevision: number;
  /** A link is up: what it lacks is pushed. */
  connected(connection: Connection): void;
  /** The link is down. */
  disconnected(): void;
  /** A heartbeat came. */
  heartbeat(connection: Connection): void;
  /** Pushes a new revision, and resolves with the guest's verdict on that one. */
  config(config: ConfigRecord): Promise<Verdict>;
  /** Pushes a context entry, and resolves with the guest's verdict on that one. */
  context(record: ContextRecord): Promise<Verdict>;
  /** Resolves when the state is no longer pending, or when `ms` are over or the signal aborts. Never rejects. */
  settled(ms: number, signal: AbortSignal): Promise<void>;
  /** Ends it. */
  close(): void;
}

/** Most pushes that wait for their turn. */
const QUEUE = 256;

/** Makes the convergence of one agent. `load` reads the store; `pushMs` bounds each push. */
export function createConvergence(load: () => Promise<Desired>, pushMs: number): Convergence {
  const stop = new AbortController();
  let lost = new AbortController();
  const jobs: (() => Promise<void>)[] = [];
  let running = false;
  let connection: Connection | undefined;
  let state: ConfigState = { kind: "pending", reason: "not connected yet" };
  let observed = { revision: 0, sha256: "" };
  let refused: { revision: number; reason: string } | undefined;
  let failures = 0;
  let latest = 0;
  let watchers: (() => void)[] = [];

  function setState(next: ConfigState): void {
    state = next;
    if (next.kind === "pending") return;
    const woken = watchers;
    watchers = [];
    for (const wake of woken) wake();
  }

  /** Runs jobs one after the other: pushes reach the guest in the order they were asked for. */
  async function drain(): Promise<void> {
    if (running) return;
    running = true;
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await job();
    running = false;
  }

  function enqueue(job: (at: Connection) => Promise<Verdict>): Promise<Verdict> {
    if (jobs.length >= QUEUE) return Promise.resolve(notApplied("too many pushes wait for this agent"));
    return new Promise((resolve) => {
      jobs.push(async () => {
        resolve(
          connection === undefined
            ? notApplied(`the agent is away: ${reasonOf(state)}`)
            : await job(connection),
        );
      });
      void drain();
    });
  }

  /** Converges before anything that waits: a new link must neither wait behind old pushes nor be refused for their number. */
  function convergeFirst(at: Connection, contextsToo: boolean): void {
    jobs.unshift(() => converge(at, contextsToo));
    void drain();
  }

  async function pushOneConfig(at: Connection, config: ConfigRecord): Promise<Verdict> {
    if (config.revision < observed.revision && at.protocol === 2) {
      return notApplied(`superseded by revision ${observed.revision}`);
    }
    const verdict = await pushConfig(at, config, pushMs);
    if (verdict.applied) observed = { revision: config.revision, sha256: config.sha256 };
    if (verdict.refused) refused = { revision: config.revision, reason: verdict.reason };
    return verdict;
  }

  /** One pass: whatever differs is pushed. True where everything is settled. */
  async function pass(at: Connection, contextsToo: boolean): Promise<boolean> {
    const desired = await load();
    const same = observed.revision === desired.config.revision && observed.sha256 === desired.config.sha256;
    if (!same && refused?.revision !== desired.config.revision) {
      const verdict = await pushOneConfig(at, desired.config);
      if (!verdict.applied && !verdict.refused) return pending(verdict.reason);
    }
    if (contextsToo) {
      for (const record of desired.contexts) {
        const verdict = await pushContext(at, record, pushMs);
        if (!verdict.applied && !verdict.refused) return pending(verdict.reason);
      }
    }
    if (refused?.revision === desired.config.revision) setState({ kind: "refused", reason: refused.reason });
    else setState({ kind: "applied" });
    return true;
  }

  function pending(reason: string): false {
    setState({ kind: "pending", reason });
    return false;
  }

  /** Takes the guest's word on the latest revision as the state; without a word it is pushed again. */
  function conclude(at: Connection, verdict: Verdict): void {
    if (verdict.applied) return setState({ kind: "applied" });
    if (verdict.refused) return setState({ kind: "refused", reason: verdict.reason });
    pending(verdict.reason);
    if (connection === at) convergeFirst(at, false);
  }

  /** Passes until everything is settled or the link is gone. */
  async function converge(at: Connection, contextsToo: boolean): Promise<void> {
    for (;;) {
      if (stop.signal.aborted || connection !== at) return;
      const done = await pass(at, contextsToo).catch(() =>
        pending("its configuration could not be looked up"),
      );
      if (done) {
        failures = 0;
        return;
      }
      if (connection === at) await pauseFor(backoffMs(++failures), lost.signal);
    }
  }

  return {
    get state() {
      return state;
    },
    get observedRevision() {
      return observed.revision;
    },
    connected(at) {
      connection = at;
      lost = new AbortController();
      refused = undefined;
      observed = observedBy(at);
      setState({ kind: "pending", reason: "configuration is being pushed" });
      convergeFirst(at, true);
    },
    disconnected() {
      connection = undefined;
      lost.abort();
      setState({ kind: "pending", reason: "the agent is away" });
    },
    heartbeat(at) {
      if (at !== connection || at.protocol === 1 || running) return;
      const seen = observedBy(at);
      const same = seen.revision === observed.revision && seen.sha256 === observed.sha256;
      observed = seen;
      if (same || state.kind === "pending") return;
      setState({ kind: "pending", reason: `the agent reports revision ${seen.revision}` });
      convergeFirst(at, true);
    },
    config(config) {
      latest = Math.max(latest, config.revision);
      if (connection !== undefined) pending("configuration is being pushed");
      return enqueue(async (at) => {
        const verdict = await pushOneConfig(at, config);
        if (config.revision === latest) conclude(at, verdict);
        return verdict;
      });
    },
    context: (record) => enqueue((at) => pushContext(at, record, pushMs)),
    settled(ms, signal) {
      if (state.kind !== "pending") return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      watchers.push(resolve);
      return waitAtMost(promise, ms, signal).finally(() => {
        watchers = watchers.filter((other) => other !== resolve);
      });
    },
    close() {
      stop.abort();
      lost.abort();
      connection = undefined;
    },
  };
}

function observedBy(at: Connection): { revision: number; sha256: string } {
  return { revision: at.heartbeat.configRevision ?? 0, sha256: at.heartbeat.configSha256 ?? "" };
}

function reasonOf(state: ConfigState): string {
  return state.kind === "applied" ? "no link" : state.reason;
}
