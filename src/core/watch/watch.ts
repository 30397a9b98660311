import { setImmediate as nextTurn } from "node:timers/promises";
import type { Fleet } from "../../fleet/fleet.ts";
import type { Gate } from "../access/gate.ts";
import { translate } from "../guest-errors.ts";
import { notBegun } from "../lifecycle.ts";
import type { CoreOptions } from "../options.ts";
import { createRecheck, type Recheck } from "../access/recheck.ts";
import { statusOf } from "../registry/status.ts";
import type { Core, WatchEvent } from "../types.ts";
import { viewOf } from "../registry/views.ts";
import { type Changes, createChanges } from "./watch-changes.ts";
import { createWatchers } from "./watchers.ts";
import { monotonicNow } from "@valinor/protocol";

/** Bounds of watches; durations in milliseconds. */
export interface WatchLimits {
  /** Watchers of this process. */
  readonly all: number;
  /** Watchers of one tenant. */
  readonly tenant: number;
  /** Watchers of one of its credentials, so that one program that leaks them shuts no other one out. */
  readonly credential: number;
  /** Agents that a watcher may have yet to be told of; with more it gets a new snapshot. */
  readonly changes: number;
  /** Changes of one agent within this time come as one. */
  readonly gatherMs: number;
  /** Silence after which a keepalive is sent. */
  readonly keepaliveMs: number;
  /** How often the caller's credential is looked at again. */
  readonly recheckMs: number;
  /** How soon again, where nobody could tell. */
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

/** Agents read from the store at once. */
const PAGE = 500;

/** Events sent in one turn of the event loop, so that a large snapshot keeps nobody else waiting. */
const TURN = 100;

/** One watch under way. */
interface Watch {
  readonly tenant: string;
  readonly changes: Changes;
  readonly recheck: Recheck;
  readonly signal: AbortSignal;
}

/**
 * The call that watches agents. A watcher that takes nothing costs its set of changed ids and one page of agents; ending it is
 * up to whoever serves it.
 */
export function createWatches(
  options: CoreOptions,
  gate: Gate,
  overrides: Partial<WatchLimits> = {},
): Pick<Core, "watchAgents"> {
  const { store, fleet, lifecycle } = options;
  const limits = { ...defaults, ...overrides };
  const watchers = createWatchers(limits, lifecycle);

  /** True where the watch is to go on. Throws what ends it with an error. */
  async function goesOn({ changes, recheck, signal }: Watch): Promise<boolean> {
    if (lifecycle.reached("draining")) throw notBegun();
    await recheck.ifDue();
    return !signal.aborted && changes.lost === undefined;
  }

  /** Every agent of the tenant. What changes meanwhile stands in the changes, and comes after. */
  async function* snapshot(watch: Watch): AsyncGenerator<WatchEvent> {
    const { tenant } = watch;
    let afterId = "";
    while (await goesOn(watch)) {
      const page = await store.listAgents(tenant, { afterId, limit: PAGE });
      for (const agent of page) {
        const handle = fleet.find(agent);
        // One that was added elsewhere comes as a change once the fleet has it: it alone would tell of its end.
        if (handle !== undefined) yield { kind: "agent", agent: viewOf(agent, handle) };
      }
      if (page.length < PAGE) return;
      afterId = page.at(-1)?.id ?? "";
    }
  }

  /** The changes, until they are lost or the watcher has left. */
  async function* follow(watch: Watch): AsyncGenerator<WatchEvent> {
    const { tenant, changes, recheck, signal } = watch;
    let silentSince = monotonicNow();
    while (await goesOn(watch)) {
      const silence = monotonicNow() - silentSince;
      const due = changes.dueMs() ?? Infinity;
      if (due > 0 && silence < limits.keepaliveMs) {
        await changes.wait(Math.min(due, limits.keepaliveMs - silence, recheck.dueMs()), signal);
        continue;
      }
      if (due === 0) for (const id of changes.take()) yield eventOf(fleet, tenant, id);
      else yield { kind: "keepalive" };
      silentSince = monotonicNow();
    }
  }

  async function* events(watch: Watch): AsyncGenerator<WatchEvent> {
    const { changes, recheck, signal } = watch;
    while (!signal.aborted) {
      yield* snapshot(watch);
      if (changes.lost === undefined && !signal.aborted) {
        yield { kind: "snapshot_complete" };
        yield* follow(watch);
      }
      if (changes.lost === undefined || signal.aborted) return;
      yield { kind: "resync", reason: changes.lost };
      await recheck.now();
      changes.clear();
    }
  }

  return {
    async *watchAgents(caller, signal) {
      await gate.check(caller, "watchAgents");
      const { tenant } = caller;
      const changes = createChanges(limits.gatherMs, limits.changes);
      const recheck = createRecheck(caller, limits.recheckMs, limits.retryMs);
      const leave = watchers.join(caller, changes);
      // Before the snapshot is read: no change may fall between the two.
      const unwatch = fleet.watch(tenant, changes);
      try {
        let sent = 0;
        for await (const event of events({ tenant, changes, recheck, signal })) {
          yield event;
          if (++sent % TURN === 0) await nextTurn();
        }
      } catch (error) {
        throw translate(error);
      } finally {
        unwatch();
        leave();
      }
    },
  };
}

/** An agent as it is now, whatever has happened to it since it was noted. */
function eventOf(fleet: Fleet, tenant: string, id: string): WatchEvent {
  const handle = fleet.find({ tenant, id });
  return handle === undefined ? { kind: "deleted", agentId: id } : { kind: "agent", agent: statusOf(handle) };
}
