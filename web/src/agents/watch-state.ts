import type { Agent, WatchAgentsResponse } from "@valinor/proto/valinor/v1/agent_registry";

/** What a watch has told so far. */
export interface WatchState {
  /** The agents by id, in no order. */
  readonly agents: Map<string, Agent>;
  /** Ids of the snapshot under way; undefined once it is complete. */
  seen: Set<string> | undefined;
}

/** Begins a watch, or begins one anew: agents that were known stay until the snapshot is complete. */
export function beginSnapshot(state: WatchState): void {
  state.seen = new Set();
}

/** Takes an event in. Answers true where something that is shown has changed. */
export function applyWatchEvent(state: WatchState, { event }: WatchAgentsResponse): boolean {
  switch (event.case) {
    case "agent":
      state.seen?.add(event.value.id);
      state.agents.set(event.value.id, event.value);
      return true;
    case "deletedAgentId":
      state.seen?.delete(event.value);
      return state.agents.delete(event.value);
    case "snapshotComplete": {
      const { seen } = state;
      state.seen = undefined;
      for (const id of state.agents.keys()) if (seen?.has(id) === false) state.agents.delete(id);
      return true;
    }
    case "resync":
      beginSnapshot(state);
      return false;
    default:
      return false;
  }
}
