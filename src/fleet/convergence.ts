import { backoffMs, pauseFor, waitAtMost } from "../link/backoff.ts";
import type { Connection } from "../link/connection.ts";
import type { ConfigRecord, ContextRecord } from "../store/store.ts";
import { createConfigStep } from "./config-step.ts";
import { createContextStep } from "./context-step.ts";
import { createDesired, type Desired } from "./desired.ts";
import { createGap } from "./gap.ts";
import type { Verdict } from "./push.ts";
import { DONE, type StepResult } from "./steps.ts";
import { createVerdictLog, type VerdictEntry } from "./verdict-log.ts";
import { type ConfigOutcome, createWaiters } from "./waiters.ts";

/** Where an agent stands between what it is to have and what it has. */
export type ConfigState =
  /** The guest acknowledged the desired revision and has every context entry. */
  | { readonly kind: "applied" }
  /** A guest of protocol 1 acknowledged it, and can't name the revision. */
  | { readonly kind: "assumed" }
  /** Not yet: away, or not acknowledged. */
  | { readonly kind: "pending"; readonly reason: string }
  /** The guest turned the desired revision down; it is not pushed again until it changes or the guest starts anew. */
  | { readonly kind: "refused"; readonly reason: string };

/** What convergence needs. */
export interface ConvergenceParts {
  /** Reads the store. */
  load(): Promise<Desired>;
  /** The configuration with its secrets open. May throw: the text is then the reason why it is pending. */
  open(config: ConfigRecord): ConfigRecord;
  /** Store.raiseRevision. */
  raise(above: number): Promise<ConfigRecord>;
  /** Writes down what the guest said of a revision. */
  record(verdict: VerdictEntry): Promise<void>;
  /** The desired revision, the state or what is observed may have changed. */
  onChange(): void;
  /** How long each push may take, milliseconds. */
  readonly pushMs: number;
}

/** Makes one guest have what the store holds: on connect, on change and on a heartbeat that differs. */
export interface Convergence {
  readonly state: ConfigState;
  /** Revision that the guest last acknowledged or reported; it does not fall while its boot stays. 0 before the first. */
  readonly observedRevision: number;
  /** Latest revision of the desired configuration that is known; 0 before the first look. */
  readonly desiredRevision: number;
  /** A link is up: what the guest lacks is pushed. */
  connected(connection: Connection): void;
  /** The link is down. */
  disconnected(): void;
  /** A heartbeat came. */
  heartbeat(connection: Connection): void;
  /** A new revision was stored: pushes it, and resolves with the guest's verdict on that one, however late. Never rejects. */
  config(config: ConfigRecord): Promise<ConfigOutcome>;
  /** A context entry was stored: pushes it, and resolves with the guest's verdict on that one, however late. Never rejects. */
  context(record: ContextRecord): Promise<Verdict>;
  /** The store may hold something else; `certain`: it does. */
  reload(certain: boolean): void;
  /** The agent is another one of the same name. */
  reset(): void;
  /** Resolves when the state is no longer pending, or when `ms` are over or the signal aborts. Never rejects. */
  settled(ms: number, signal: AbortSignal): Promise<void>;
  /** Ends it. */
  close(): void;
}

const PUSHING = "configuration is being pushed";

/**
 * Makes the convergence of one agent. It looks at what is to be and at what is, and pushes what differs, one push after the
 * other: what changed meanwhile is looked at in the next pass, so that nothing in between is ever pushed.
 */
export function createConvergence(parts: ConvergenceParts): Convergence {
  const { pushMs } = parts;
  const waiters = createWaiters();
  let lastTicket = 0;
  const desired = createDesired(() => {
    lastTicket = waiters.lastTicket;
    return parts.load();
  });
  const onPush = () => pending(PUSHING);
  const verdicts = createVerdictLog((verdict) => parts.record(verdict));
  const configs = createConfigStep({ ...parts, onPush, waiters, verdicts });
  const contexts = createContextStep({ onPush, waiters, pushMs });
  const gap = createGap(() => connection !== undefined && convergence.heartbeat(connection));
  let state: ConfigState = { kind: "pending", reason: "not connected yet" };
  let connection: Connection | undefined;
  let isDue = false;
  let isRunning = false;
  let isPassing = false;
  let isClosed = false;
  let wasReady = true;
  let wake = new AbortController();
  let watchers: (() => void)[] = [];

  function setState(next: ConfigState): void {
    state = next;
    parts.onChange();
    if (next.kind === "pending") return;
    const woken = watchers;
    watchers = [];
    for (const watcher of woken) watcher();
  }

  function pending(reason: string): void {
    if (state.kind !== "pending" || state.reason !== reason) setState({ kind: "pending", reason });
  }

  /** Has a pass begin now, or as soon as the one under way has ended. */
  function touch(): void {
    isDue = true;
    wake.abort();
    void run();
  }

  /** Passes until everything is settled or the link is gone. */
  async function run(): Promise<void> {
    if (isRunning) return;
    isRunning = true;
    let failures = 0;
    for (let at = nextPass(); at !== undefined; at = nextPass()) {
      isDue = false;
      wake = new AbortController();
      isPassing = true;
      const result = await pass(at).catch(lookupFailed);
      isPassing = false;
      if (connection !== at) continue;
      if (result.kind !== "again") failures = 0;
      if (isDue) continue;
      conclude(at, result);
      if (result.kind !== "again") continue;
      isDue = true;
      if (becameReady(at)) continue;
      await pauseFor(Math.max(backoffMs(++failures), result.waitMs ?? 0), wake.signal);
    }
    isRunning = false;
  }

  /** True, once, where the guest's OpenClaw came back during a pass: what it could not apply it can now. */
  function becameReady({ heartbeat }: Connection): boolean {
    const isNews = heartbeat.openclaw === "ready" && !wasReady;
    wasReady ||= isNews;
    return isNews;
  }

  /** The connection to bring up to date; undefined where nothing is due. */
  const nextPass = () => (isDue && !isClosed ? connection : undefined);

  /** One pass: whatever differs is pushed. */
  async function pass(at: Connection): Promise<StepResult> {
    let { config, contexts: entries } = await desired.get();
    waiters.contextsAre(entries, lastTicket);
    parts.onChange();
    if (connection !== at) return DONE;
    if (at.protocol === 2 && configs.isAhead(config)) {
      // Perhaps another process stored it.
      desired.stale();
      ({ config, contexts: entries } = await desired.get());
      if (configs.isAhead(config)) {
        const raised = await configs.raise(config);
        if ("kind" in raised) return raised;
        desired.stored(raised);
        config = raised;
        parts.onChange();
      }
    }
    const configured = await configs.run(at, config);
    if (connection !== at) return DONE;
    const informed = await contexts.run(at, entries);
    const result = worst(configured, informed);
    if (result.kind !== "done" || !isContradicted(at, config)) return result;
    return { kind: "again", reason: reported(at) };
  }

  /** True where heartbeats that came during the pass tell something else than its end. */
  function isContradicted(at: Connection, config: ConfigRecord): boolean {
    return at.protocol === 2 && (configs.isDoubtful || configs.isAhead(config));
  }

  function conclude(at: Connection, result: StepResult): void {
    if (result.kind === "refused") setState({ kind: "refused", reason: result.reason });
    else if (result.kind === "done") setState({ kind: at.protocol === 1 ? "assumed" : "applied" });
    else pending(result.reason);
  }

  const convergence: Convergence = {
    get state() {
      return state;
    },
    get observedRevision() {
      return configs.observed.revision;
    },
    get desiredRevision() {
      return desired.revision;
    },
    connected(at) {
      connection = at;
      gap.reset();
      wasReady = at.heartbeat.openclaw === "ready";
      configs.connected(at);
      contexts.connected(at);
      desired.stale();
      pending(PUSHING);
      touch();
    },
    disconnected() {
      connection = undefined;
      gap.reset();
      pending("the agent is away");
      wake.abort();
    },
    heartbeat(at) {
      if (at !== connection) return;
      if (isPassing) return void configs.heartbeat(at); // the end of the pass looks at it
      if (!gap.open()) return;
      const isReady = at.heartbeat.openclaw === "ready";
      const isBack = isReady && !wasReady && state.kind === "pending";
      wasReady = isReady;
      const hasNews = configs.heartbeat(at);
      if (!contexts.heartbeat(at) && !hasNews && !isBack) return;
      gap.use();
      // What the guest has may be what another process stored and pushed.
      desired.stale();
      if (state.kind !== "pending") pending(hasNews ? reported(at) : "the agent reports another context");
      touch();
    },
    config(config) {
      desired.stored(config);
      const outcome = waiters.config(config.revision);
      if (connection !== undefined) pending(PUSHING);
      touch();
      return outcome;
    },
    context(record) {
      desired.stale();
      const verdict = waiters.context(record);
      if (connection !== undefined) pending("context is being pushed");
      touch();
      return verdict;
    },
    reload(certain) {
      desired.stale();
      if (certain && connection !== undefined) pending(PUSHING);
      touch();
    },
    reset() {
      desired.forget();
      configs.forget();
      contexts.forget();
      convergence.reload(true);
    },
    settled(ms, signal) {
      if (state.kind !== "pending") return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      watchers.push(resolve);
      return waitAtMost(promise, ms, signal).finally(() => {
        watchers = watchers.filter((other) => other !== resolve);
      });
    },
    close() {
      isClosed = true;
      connection = undefined;
      gap.reset();
      wake.abort();
      waiters.endAll("the agent was removed");
    },
  };
  return convergence;
}

function reported(at: Connection): string {
  return `the agent reports revision ${at.heartbeat.configRevision ?? 0}`;
}

/** The store's words may name files: they are not shown. */
function lookupFailed(): StepResult {
  return { kind: "again", reason: "its configuration could not be looked up" };
}

const ORDER: readonly StepResult["kind"][] = ["again", "refused", "parked", "done"];

/** The result of two steps that says the most about what is left to be done. */
function worst(a: StepResult, b: StepResult): StepResult {
  return ORDER.indexOf(a.kind) <= ORDER.indexOf(b.kind) ? a : b;
}
