import { CreditPool, LinkError, UnaskedTotal } from "@valinor/protocol";
import { ValinorError } from "../../../src/core/errors.ts";
import { createSeenRuns } from "../../../src/core/runs/seen-runs.ts";
import type { Changes } from "../../../src/core/watch/watch-changes.ts";
import { AgentError } from "../../../src/fleet/errors.ts";
import type { Clock } from "../engine/clock.ts";
import type { History } from "../engine/history.ts";
import { NodeClock } from "../engine/node-clock.ts";
import { type Chance, createChance } from "../engine/random.ts";
import { sleep, Task, type Tasked } from "../engine/task.ts";
import { ApiError } from "./api-error.ts";
import type { Call } from "./call.ts";
import type { Server, StreamInput } from "./calls.ts";
import { HostAgent } from "./host-agent.ts";
import type { HostAgentParts } from "./host-agent-parts.ts";
import { HostCalls } from "./host-calls.ts";
import { ClientLeft, toApiError } from "./run-call.ts";
import { type Settings, type StoredAgent, StoreConflict, StoreDown, type StoreModel } from "./store.ts";
import { type ChangesMaker, serveWatch } from "./watch-call.ts";

/** How often the store is asked what other hosts changed. */
const REFRESH_MS = 5_000;

/** What the host promises all guests: few streams are enough for it to run short. */
const CREDIT_TOTAL = 600 * 1024;

/** What hosts need of the world. */
export interface HostParts extends Pick<HostAgentParts, "dial" | "makeLink" | "makeConvergence"> {
  readonly seed: number;
  readonly clock: Clock;
  readonly history: History;
  readonly store: StoreModel;
  readonly makeChanges: ChangesMaker;
}

/** One process of the control plane: agents with the real kernels, and models of the calls around them. */
export class Host implements Server {
  readonly name: string;
  readonly local: NodeClock;
  readonly agents = new Map<string, HostAgent>();
  readonly calls = new Set<Call>();
  readonly #parts: HostParts;
  readonly #chance: Chance;
  readonly #tasks = new Set<Task<void>>();
  readonly #watchers = new Map<Changes, () => void>();
  readonly #shown = new Map<string, string>();
  readonly #unasked = new UnaskedTotal();
  readonly #credit = new CreditPool(CREDIT_TOTAL);
  readonly #bodies: HostCalls;
  #ids = 0;
  isDead = false;
  #isStoreDown = false;

  /** Starts the process; `name` is another one for each start. */
  constructor(parts: HostParts, name: string, rate: number) {
    this.#parts = parts;
    this.name = name;
    this.#chance = createChance(parts.seed, `host ${name}`);
    this.local = new NodeClock(parts.clock, this.#chance.between(0, 1e6), rate);
    const { clock, store } = parts;
    this.#bodies = new HostCalls({
      clock,
      store,
      seenRuns: createSeenRuns(20_000, () => this.local.now()),
      find: (id) => this.#find(id),
      spawn: (body) => this.spawn(body),
    });
    this.spawn(this.#serve());
  }

  /** What is under way: for the auditors, at rest. */
  counts(): Readonly<Record<string, number>> {
    let exchanges = 0;
    let late = 0;
    let waiters = 0;
    for (const agent of this.agents.values()) {
      exchanges += agent.current?.link.exchanges ?? 0;
      late += agent.current?.link.lateExchanges ?? 0;
      waiters += agent.waiters;
    }
    return { exchanges, late, waiters, calls: this.calls.size, promised: this.#credit.promised };
  }

  /** The process dies. `silently`: its machine loses power, and neither guests nor clients are told. */
  kill(silently: boolean): void {
    this.isDead = true;
    for (const task of this.#tasks) task.drop();
    this.#tasks.clear();
    for (const agent of this.agents.values()) agent.drop(silently);
    for (const call of this.calls) {
      if (silently) call.stall(Infinity);
      else call.cut();
    }
  }

  /** The clock jumps forward: the process stood still, or so it seems. */
  stepClock(ms: number, rate: number): void {
    this.local.set(ms, rate);
    for (const agent of this.agents.values()) agent.resetAlarms();
  }

  spawn(body: Tasked<void>): void {
    const task: Task<void> = new Task(this.#parts.clock, body, (end) => {
      this.#tasks.delete(task);
      if ("error" in end && !(end.error instanceof StoreDown) && !(end.error instanceof StoreConflict))
        throw end.error;
    });
    this.#tasks.add(task);
  }

  stream(call: Call, input: StreamInput): void {
    this.#answer(call, this.#bodies.stream(call, input));
  }

  send(call: Call, input: StreamInput): void {
    this.#answer(call, this.#bodies.send(call, input));
  }

  cancel(call: Call, agent: string, run: string): void {
    this.#answer(call, this.#bodies.cancel(call, agent, run));
  }

  pushConfig(call: Call, agent: string, config: Settings): void {
    this.#answer(call, this.#bodies.pushConfig(call, agent, config));
  }

  pushContext(call: Call, agent: string, key: string, text: string): void {
    this.#answer(call, this.#bodies.pushContext(call, agent, key, text));
  }

  setStatus(call: Call, agent: string, status: StoredAgent["status"]): void {
    this.#answer(call, this.#change(call, this.#parts.store.setStatus(agent, status)));
  }

  recreate(call: Call, agent: string): void {
    this.#answer(call, this.#change(call, this.#parts.store.recreate(agent)));
  }

  watch(call: Call): void {
    const parts = {
      clock: this.#parts.clock,
      store: this.#parts.store,
      makeChanges: this.#parts.makeChanges,
      now: () => this.local.now(),
      lookOf: (agent: string) => this.agents.get(agent)?.look,
      listen: (changes: Changes, stir: () => void) => {
        this.#watchers.set(changes, stir);
        return () => void this.#watchers.delete(changes);
      },
    };
    this.#answer(call, serveWatch(parts, call));
  }

  /** Takes every agent up, and then what other hosts change. */
  *#serve(): Tasked<void> {
    const { store, history } = this.#parts;
    for (;;) {
      try {
        for (const stored of yield* store.all()) this.#take(stored);
        if (this.#isStoreDown) {
          this.#isStoreDown = false;
          this.#resync("the store did not answer for a while");
        }
      } catch (error) {
        if (!(error instanceof StoreDown)) throw error;
        this.#isStoreDown = true;
        history.count("host: the store was away");
      }
      yield* sleep(REFRESH_MS);
    }
  }

  /** Takes over an agent's record, if it is news: fleet/refresh.ts. */
  #take(stored: StoredAgent): HostAgent {
    const known = this.agents.get(stored.id);
    if (known === undefined) return this.#add(stored);
    const before = known.stored;
    const isOlder = stored.birth === before.birth && stored.config.revision < before.config.revision;
    if (stored.etag !== before.etag && !isOlder && stored.birth >= before.birth) known.update(stored);
    return known;
  }

  #add(stored: StoredAgent): HostAgent {
    const { clock, history, store, makeLink, makeConvergence, dial } = this.#parts;
    const agent = new HostAgent(
      {
        host: this.name,
        clock,
        local: this.local,
        chance: createChance(this.#parts.seed, `host ${this.name} ${stored.id}`),
        history,
        store,
        unasked: this.#unasked,
        credit: this.#credit,
        makeLink,
        makeConvergence,
        mintId: () => `${this.name}.${++this.#ids}`,
        spawn: (body) => this.spawn(body),
        dial,
        onChange: (changed) => this.#onChange(changed),
      },
      stored,
    );
    this.agents.set(stored.id, agent);
    this.#onChange(agent);
    return agent;
  }

  #onChange(agent: HostAgent): void {
    const { look } = agent;
    if (this.agents.get(agent.id) !== agent || this.#shown.get(agent.id) === look) return;
    this.#shown.set(agent.id, look);
    this.#parts.history.record({ kind: "shown", host: this.name, agent: agent.id, look });
    for (const [changes, stir] of this.#watchers) {
      changes.changed(agent.id);
      stir();
    }
  }

  #resync(reason: string): void {
    for (const [changes, stir] of this.#watchers) {
      changes.resync(reason);
      stir();
    }
  }

  /** Serves a call, and ends it with the error that its body throws. */
  #answer(call: Call, body: Tasked<void>): void {
    if (this.isDead) return call.cut();
    this.calls.add(call);
    this.spawn(this.#answered(call, body));
  }

  *#answered(call: Call, body: Tasked<void>): Tasked<void> {
    let failure: ApiError | undefined;
    try {
      yield* body;
    } catch (error) {
      failure = errorOf(error);
    }
    this.calls.delete(call);
    call.finish(failure);
  }

  *#change(call: Call, change: Tasked<StoredAgent>): Tasked<void> {
    const stored = yield* change;
    this.#take(stored);
    call.reply({ kind: "result", value: undefined });
  }

  *#find(id: string): Tasked<HostAgent> {
    const known = this.agents.get(id);
    if (known !== undefined) return known;
    const stored = yield* this.#parts.store.get(id);
    if (stored === undefined) throw new ApiError("AGENT_NOT_FOUND");
    return this.#take(stored);
  }
}

function errorOf(error: unknown): ApiError {
  if (error instanceof StoreDown) return new ApiError("STORE_UNAVAILABLE", {}, 1_000);
  if (error instanceof StoreConflict) return new ApiError("REVISION_CONFLICT");
  if (error instanceof ClientLeft) return new ApiError("CLIENT_GONE");
  if (error instanceof LinkError || error instanceof AgentError || error instanceof ValinorError)
    return toApiError(error);
  if (error instanceof ApiError) return error;
  throw error;
}
