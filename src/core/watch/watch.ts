import { setImmediate as nextTurn } from "node:timers/promises";
import type { Fleet } from "../../fleet/fleet.ts";
import type { Gate } from "../access/gate.ts";
import { translate } from "../guest-errors.ts";
import { notBegun } from "../lifecycle.ts";
import type { CoreOptions } from "../options.ts";
import { createRecheck, type Recheck } from "../access/recheck.ts";
import { statusOf } from "../registry/status.ts";
import type { Caller, WatchEvent } from "../types.ts";
import { viewOf } from "../registry/views.ts";
import { Changes } from "./watch-changes.ts";
import { Watchers } from "./watchers.ts";
import { monotonicNow } from "@valinor/protocol";

/** Bounds of watches; durations in milliseconds. */
export interface WatchLimits {
  /** Watchers of this process. */
  readonly all: number;
  /** Watchers of one tenant. */
  readonly tenant: number;
  /** Watchers of one of its credentials, so that one program that leaks them does not shut others out. */
  readonly credential: number;
  /** Agents that a watcher may have yet to be told of; if there are more, it gets a new snapshot. */
  readonly changes: number;
  /** Changes of one agent within this time come as one. */
  readonly gatherMs: number;
  /** Silence after which a keepalive is sent. */
  readonly keepaliveMs: number;
  /** How often the caller's credential is looked at again. */
  readonly recheckMs: number;
  /** How soon it is looked at again if nobody could tell. */
  readonly retryMs: number;
}

const defaults: WatchLimits = {
  all: 1_000,
  tenant: 100,
  credential: 50,
  changes: 10_000,
  gatherMs: 100,
  keepaliveMs: 15_000,
  recheckMs: 30_000,
  retryMs: 5_000,
};

/** Agents that a snapshot reads from the store at once. */
const SNAPSHOT_READ = 500;

/** Events sent in one turn of the event loop, so that a large snapshot keeps nobody else waiting. */
const EVENTS_A_TURN = 100;

/** One watch under way. */
interface Watch {
  readonly tenant: string;
  readonly changes: Changes;
  readonly recheck: Recheck;
  readonly signal: AbortSignal;
}

/**
 * The call that watches agents. A watcher that takes nothing costs its set of changed ids and what one read of the store brings; ending
 * it is up to whoever serves it.
 */
export class WatchCalls {
  readonly #options: Pick<CoreOptions, "store" | "fleet" | "lifecycle">;
  readonly #gate: Gate;
  readonly #limits: WatchLimits;
  readonly #watchers: Watchers;

  constructor(
    options: Pick<CoreOptions, "store" | "fleet" | "lifecycle">,
    gate: Gate,
    limits: Partial<WatchLimits> = {},
  ) {
    this.#options = options;
    this.#gate = gate;
    this.#limits = { ...defaults, ...limits };
    this.#watchers = new Watchers(this.#limits, options.lifecycle);
  }

  /** Core.watchAgents. */
  async *watchAgents(caller: Caller, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    await this.#gate.check(caller, "watchAgents");
    const { tenant } = caller;
    const changes = new Changes(this.#limits.gatherMs, this.#limits.changes);
    const recheck = createRecheck(caller, this.#limits.recheckMs, this.#limits.retryMs);
    const leave = this.#watchers.join(caller, changes);
    // Before the snapshot is read: no change may fall between the two.
    const unwatch = this.#options.fleet.watch(tenant, changes);
    try {
      let sent = 0;
      for await (const event of this.#events({ tenant, changes, recheck, signal })) {
        yield event;
        if (++sent % EVENTS_A_TURN === 0) await nextTurn();
      }
    } catch (error) {
      throw translate(error);
    } finally {
      unwatch();
      leave();
    }
  }

  async *#events(watch: Watch): AsyncGenerator<WatchEvent> {
    const { changes, recheck, signal } = watch;
    while (!signal.aborted) {
      yield* this.#snapshot(watch);
      if (changes.lost === undefined && !signal.aborted) {
        yield { kind: "snapshot_complete" };
        yield* this.#follow(watch);
      }
      if (changes.lost === undefined || signal.aborted) return;
      yield { kind: "resync", reason: changes.lost };
      await recheck.now();
      changes.clear();
    }
  }

  /** Every agent of the tenant. What changes meanwhile is noted in the changes, and comes after. */
  async *#snapshot(watch: Watch): AsyncGenerator<WatchEvent> {
    const { store, fleet } = this.#options;
    let afterId = "";
    while (await this.#goesOn(watch)) {
      const agents = await store.listAgents(watch.tenant, { afterId, limit: SNAPSHOT_READ });
      for (const agent of agents) {
        const handle = fleet.find(agent);
        // An agent that was added elsewhere comes as a change once the fleet has it: the fleet alone would tell of its end.
        if (handle !== undefined) yield { kind: "agent", agent: viewOf(agent, handle) };
      }
      if (agents.length < SNAPSHOT_READ) return;
      afterId = agents.at(-1)?.id ?? "";
    }
  }

  /** The changes, until they are lost or the watcher has left. */
  async *#follow(watch: Watch): AsyncGenerator<WatchEvent> {
    const { tenant, changes, recheck, signal } = watch;
    const { keepaliveMs } = this.#limits;
    let silentSince = monotonicNow();
    while (await this.#goesOn(watch)) {
      const silence = monotonicNow() - silentSince;
      const due = changes.dueMs() ?? Infinity;
      if (due > 0 && silence < keepaliveMs) {
        await changes.wait(Math.min(due, keepaliveMs - silence, recheck.dueMs()), signal);
        continue;
      }
      if (due === 0) for (const id of changes.take()) yield eventOf(this.#options.fleet, tenant, id);
      else yield { kind: "keepalive" };
      silentSince = monotonicNow();
    }
  }

  /** True if the watch is to go on. Throws what ends it with an error. */
  async #goesOn({ changes, recheck, signal }: Watch): Promise<boolean> {
    if (this.#options.lifecycle.reached("draining")) throw notBegun();
    await recheck.ifDue();
    return !signal.aborted && changes.lost === undefined;
  }
}

/** An agent as it is now, whatever has happened to it since it was noted. */
function eventOf(fleet: Fleet, tenant: string, id: string): WatchEvent {
  const handle = fleet.find({ tenant, id });
  return handle === undefined ? { kind: "deleted", agentId: id } : { kind: "agent", agent: statusOf(handle) };
}
