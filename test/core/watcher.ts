import { localCaller } from "../../src/core/access/authorize.ts";
import { createGate } from "../../src/core/access/gate.ts";
import type { AgentStatusView, Caller, WatchEvent } from "../../src/core/types.ts";
import { WatchCalls, type WatchLimits } from "../../src/core/watch/watch.ts";
import { until } from "../helpers/until.ts";
import type { World } from "./world.ts";

/** Somebody who watches a tenant's agents. */
export interface Watcher {
  /** Every event so far. */
  readonly events: WatchEvent[];
  /** The agents by id, as the events tell. */
  readonly view: ReadonlyMap<string, AgentStatusView>;
  /** True once a snapshot is complete, until a resync. */
  readonly complete: boolean;
  /** Events of one kind. */
  of<K extends WatchEvent["kind"]>(kind: K): Extract<WatchEvent, { kind: K }>[];
  /** Waits until the agent, as it is told, is so. */
  sees(id: string, is: (agent: AgentStatusView) => boolean): Promise<AgentStatusView>;
  /** Takes nothing more until `goOn`; what is under way is still taken. */
  pause(): void;
  goOn(): void;
  /** Leaves. Resolves when the watch has ended. */
  stop(): Promise<void>;
  /** What ended it: undefined if it ended without an error. */
  readonly ended: Promise<unknown>;
}

/** Bounds for tests: everything comes soon. */
export const soonLimits: Partial<WatchLimits> = { gatherMs: 5, retryMs: 5 };

/** Makes a function that watches; all its watchers share one bound. */
export function createWatcherOf(world: World, limits: Partial<WatchLimits> = {}) {
  const { options } = world;
  const gate = createGate(options.quota, () => {});
  const calls = new WatchCalls(options, gate, { ...soonLimits, ...limits });
  return (caller: Caller = localCaller): Watcher => {
    const leaving = new AbortController();
    return follow(calls.watchAgents(caller, leaving.signal), () => leaving.abort());
  };
}

function follow(source: AsyncIterable<WatchEvent>, leave: () => void): Watcher {
  const events: WatchEvent[] = [];
  let view = new Map<string, AgentStatusView>();
  let next = new Map<string, AgentStatusView>();
  let complete = false;
  let gate = Promise.resolve();
  let open = () => {};

  function take(event: WatchEvent): void {
    events.push(event);
    const into = complete ? view : next;
    if (event.kind === "agent") into.set(event.agent.agent.id, event.agent);
    if (event.kind === "deleted") into.delete(event.agentId);
    if (event.kind === "snapshot_complete") {
      complete = true;
      view = next;
    }
    if (event.kind === "resync") {
      complete = false;
      next = new Map();
    }
  }

  const ended = (async () => {
    try {
      for await (const event of source) {
        take(event);
        await gate;
      }
      return undefined;
    } catch (error) {
      return error;
    }
  })();

  return {
    events,
    ended,
    get view() {
      return view;
    },
    get complete() {
      return complete;
    },
    of: <K extends WatchEvent["kind"]>(kind: K) =>
      events.filter((event): event is Extract<WatchEvent, { kind: K }> => event.kind === kind),
    sees(id, is) {
      return until(`the watcher sees ${id}`, () => {
        const agent = view.get(id);
        return agent !== undefined && is(agent) ? agent : undefined;
      });
    },
    pause() {
      gate = new Promise((resolve) => (open = resolve));
    },
    goOn: () => open(),
    async stop() {
      open();
      leave();
      await ended;
    },
  };
}
