import { contextDigest, LinkError, limits } from "@valinor/protocol";
import type { Convergence } from "../../../src/fleet/convergence/convergence.ts";
import type {
  ConfigOutcome,
  ContextPush,
  Desired,
  Verdict,
  VerdictEntry,
} from "../../../src/fleet/convergence/facts.ts";
import type { ConvergenceOutput } from "../../../src/fleet/convergence/output.ts";
import { AgentError } from "../../../src/fleet/errors.ts";
import type { ConfigRecord } from "../../../src/store/store.ts";
import { Alarm } from "../engine/node-clock.ts";
import { Signal, type Tasked, waitUntil } from "../engine/task.ts";
import { AgentLink } from "./agent-link.ts";
import type { HostConnection } from "./connection.ts";
import type { HostAgentParts } from "./host-agent-parts.ts";
import { configAnswer, configPayload, contextAnswer, contextPayload } from "./push.ts";
import { type StoredAgent, textOf } from "./store.ts";
import { Verdicts } from "./verdicts.ts";

/** Milliseconds that a message waits for a link and for its configuration, and that a push may take. */
export const CONFIG_MS = limits.configMs;

/** An agent as one host serves it: the real kernels of link, redials and convergence, and a model of the drivers between them. */
export class HostAgent implements ConvergenceOutput {
  readonly id: string;
  /** As it was last read from the store. */
  stored: StoredAgent;
  readonly link: AgentLink;
  readonly convergence: Convergence;
  /** The link came up or went down, or the state is another one. */
  readonly stirred = new Signal();
  readonly #parts: HostAgentParts;
  readonly #alarm: Alarm;
  readonly #waiters: Verdicts<Verdict>;
  #contexts: readonly { readonly key: string; readonly text: string }[] = [];
  /** Digests of the configurations that this host knows, by revision. */
  readonly #digests = new Map<number, string>();
  #said = "";
  #situation = "";
  #isClosed = false;

  constructor(parts: HostAgentParts, record: StoredAgent) {
    this.#parts = parts;
    this.id = record.id;
    this.stored = record;
    const { clock, local, chance } = parts;
    this.#waiters = new Verdicts(clock);
    this.convergence = parts.makeConvergence(this, () => chance.next());
    this.#alarm = new Alarm(
      clock,
      local,
      () => this.convergence.nextWake,
      () => this.#enter((now) => this.convergence.tick(now)),
    );
    this.link = new AgentLink(this.id, this.isToRun, parts, {
      onUp: (connection) => this.#up(connection),
      onHeartbeat: ({ link: { heartbeat } }) =>
        heartbeat && this.#enter((now) => this.convergence.heartbeat(heartbeat, now)),
      onDown: () => this.#enter(() => this.convergence.disconnected()),
    });
  }

  get isToRun(): boolean {
    return this.stored.status === "RUNNING" && !this.#isClosed;
  }

  /** The connection that is up. */
  get current(): HostConnection | undefined {
    return this.link.current;
  }

  /** Pushes that somebody waits for. */
  get waiters(): number {
    return this.#waiters.size;
  }

  /** Everything that can be seen of the agent. */
  get look(): string {
    const { state, observedRevision, desiredRevision } = this.convergence;
    const boot = this.link.last?.bootId ?? "";
    const isUp = this.current !== undefined;
    const { inFlight = 0, openclaw = "" } = this.link.last?.link.heartbeat ?? {};
    return `${this.stored.status} ${isUp} ${boot} ${state.kind} ${observedRevision}/${desiredRevision} ${inFlight} ${openclaw}`;
  }

  /** A connection, whatever the configuration. Throws AgentError or LinkError. */
  *reach(): Tasked<HostConnection> {
    if (this.stored.status !== "RUNNING") throw new AgentError("not_running", "it is not to run");
    return yield* this.link.ready();
  }

  /** A connection that may be given a message. Throws AgentError or LinkError. */
  *admit(): Tasked<HostConnection> {
    const connection = yield* this.reach();
    if (this.#isInForce()) return connection;
    const isSettled = () => this.convergence.state.kind !== "pending";
    yield* waitUntil(this.#parts.clock, isSettled, CONFIG_MS, this.stirred);
    const { state } = this.convergence;
    if (state.kind === "refused") throw new AgentError("config_refused", state.reason);
    if (state.kind === "pending") throw new AgentError("config_pending", state.reason);
    return this.current ?? (yield* this.reach());
  }

  /** A configuration was stored by this host: waits for the guest's word on it, `ms` at most. */
  *configStored(record: ConfigRecord, ms: number): Tasked<ConfigOutcome | undefined> {
    const revision = Math.max(record.revision, this.stored.config.revision);
    this.stored = { ...this.stored, config: { ...this.stored.config, revision } };
    this.#digests.set(record.revision, record.sha256);
    const desired = { record, sha256: record.sha256 };
    return (yield* this.#waiters.wait(ms, (waiter) =>
      this.#enter((now) => this.convergence.configStored(desired, waiter, now)),
    )) as ConfigOutcome | undefined;
  }

  /** The same for a context entry. */
  *contextStored(entry: ContextPush["entry"], ms: number): Tasked<Verdict | undefined> {
    return yield* this.#waiters.wait(ms, (waiter) =>
      this.#enter((now) => this.convergence.contextStored(entry, waiter, now)),
    );
  }

  contextsChanged(): void {
    this.#enter((now) => this.convergence.storeChanged(true, now));
  }

  /** The record is another one: as fleet/handle.ts does. */
  update(next: StoredAgent): void {
    const { desiredRevision } = this.convergence;
    if (next.birth !== this.stored.birth) this.#enter((now) => this.convergence.agentRecreated(now));
    else if (next.config.revision > desiredRevision)
      this.#enter((now) => this.convergence.storeChanged(true, now));
    this.stored = next;
    this.link.route(this.isToRun);
    this.#changed();
  }

  /** The process dies. */
  drop(silently: boolean): void {
    this.#isClosed = true;
    this.#alarm.stop();
    this.link.drop(silently);
  }

  /** The clock of the host has jumped. */
  resetAlarms(): void {
    this.#alarm.reset();
    this.link.resetAlarms();
  }

  load(): void {
    this.#parts.spawn(this.#load());
  }

  raise(above: number): void {
    this.#parts.spawn(this.#raise(above));
  }

  pushConfig(config: ConfigRecord): void {
    this.#parts.spawn(this.#pushConfig(config));
  }

  pushContext(push: ContextPush): void {
    this.#parts.spawn(this.#pushContext(push));
  }

  record(verdict: VerdictEntry): void {
    this.#parts.spawn(this.#recordVerdict(verdict));
  }

  configJudged(waiter: number, outcome: ConfigOutcome): void {
    const { host, history } = this.#parts;
    const { revision, applied: isApplied } = outcome;
    const truth = (this.current ?? this.link.last)?.truth;
    history.record({ kind: "judged", host, agent: this.id, revision, isApplied, truth });
    this.#waiters.tell(waiter, outcome);
  }

  contextJudged(waiter: number, verdict: Verdict): void {
    this.#waiters.tell(waiter, verdict);
  }

  /** What has changed is looked at when the kernel is done with its input: whoever is told of it looks later still. */
  changed(): void {}

  *#load(): Tasked<void> {
    try {
      const agent = yield* this.#parts.store.get(this.id);
      if (agent === undefined) throw new AgentError("deleted", "the agent was deleted");
      this.#contexts = agent.contexts.map((entry) => ({ key: entry.key, text: textOf(entry) }));
      this.#digests.set(agent.config.revision, agent.config.sha256);
      const desired: Desired = {
        config: { record: agent.config, sha256: agent.config.sha256 },
        contexts: agent.contexts,
      };
      this.#enter((now) => this.convergence.loaded(desired, now));
    } catch (error) {
      this.#enter((now) => this.convergence.loadFailed(String(error), now));
    }
  }

  *#raise(above: number): Tasked<void> {
    this.#parts.history.count("host: a revision was raised above the guest's");
    try {
      const record = yield* this.#parts.store.raise(this.id, above);
      if (record === undefined)
        return this.#enter((now) => this.convergence.raiseFailed(true, "too high", now));
      this.#digests.set(record.revision, record.sha256);
      this.#enter((now) => this.convergence.raised({ record, sha256: record.sha256 }, now));
    } catch (error) {
      this.#enter((now) => this.convergence.raiseFailed(false, String(error), now));
    }
  }

  *#pushConfig(config: ConfigRecord): Tasked<void> {
    const answer = yield* this.#push("config_update", configPayload(config));
    this.#enter((now) => this.convergence.configAnswered(configAnswer(config, answer), now));
  }

  *#pushContext(push: ContextPush): Tasked<void> {
    const answer = yield* this.#push("context_update", contextPayload(push));
    this.#enter((now) => this.convergence.contextAnswered(contextAnswer(answer), now));
  }

  *#push(type: "config_update" | "context_update", payload: object) {
    const { current } = this;
    try {
      if (current === undefined) throw new LinkError("unreachable", "the link was lost");
      return yield* current.request(type, payload, CONFIG_MS);
    } catch (error) {
      return LinkError.from(error, "interrupted");
    }
  }

  *#recordVerdict({ revision, ...verdict }: VerdictEntry): Tasked<void> {
    try {
      yield* this.#parts.store.recordVerdict(this.id, revision, verdict);
      this.#enter((now) => this.convergence.recorded(now));
    } catch {
      this.#enter((now) => this.convergence.recordFailed(now));
    }
  }

  #enter(input: (now: number) => void): void {
    if (this.#isClosed) return;
    input(this.#parts.local.now());
    this.#alarm.look();
    this.#changed();
  }

  #isInForce(): boolean {
    const { kind } = this.convergence.state;
    return kind === "applied" || kind === "assumed";
  }

  /** Tells of what can be seen, and says it to the auditors. */
  #changed(): void {
    if (this.#isClosed) return;
    const { host, history } = this.#parts;
    const { state, situation, observedRevision, desiredRevision } = this.convergence;
    this.stirred.wake();
    if (situation !== this.#situation) history.count(`convergence: ${situation}`);
    this.#situation = situation;
    const boot = this.link.last?.bootId ?? "";
    const text = `${state.kind} ${observedRevision} ${desiredRevision} ${boot}`;
    if (text !== this.#said) {
      this.#said = text;
      history.count(`convergence says: ${state.kind}`);
      history.record({
        kind: "observed",
        host,
        agent: this.id,
        boot: `${boot} of ${this.stored.birth}`,
        revision: observedRevision,
      });
      history.record({
        kind: "said",
        host,
        agent: this.id,
        state: state.kind,
        revision: desiredRevision,
        config: this.#digests.get(desiredRevision) ?? "",
        context: contextDigest(this.#contexts.map(({ key, text: said }) => [key, said])),
        truth: this.current?.truth,
      });
    }
    this.#parts.onChange(this);
  }

  #up(connection: HostConnection): void {
    const { guest, heartbeat } = connection.link;
    if (guest === undefined || heartbeat === undefined) return;
    this.#enter((now) =>
      this.convergence.connected({ bootId: connection.bootId, reports: guest.reports, heartbeat }, now),
    );
  }
}
