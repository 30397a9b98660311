import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  type WatchAgentsResponse,
  WatchAgentsResponseSchema,
} from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { applyWatchEvent, beginSnapshot, type WatchState } from "../../web/src/agents/watch-state.ts";

function agent(id: string, configRevision = 1): WatchAgentsResponse {
  return create(WatchAgentsResponseSchema, { event: { case: "agent", value: { id, configRevision } } });
}

const complete = create(WatchAgentsResponseSchema, { event: { case: "snapshotComplete", value: true } });
const resync = create(WatchAgentsResponseSchema, { event: { case: "resync", value: "fell behind" } });

function watching(...events: WatchAgentsResponse[]): WatchState {
  const state: WatchState = { agents: new Map(), seen: undefined };
  beginSnapshot(state);
  for (const event of events) applyWatchEvent(state, event);
  return state;
}

describe("the console's watch", () => {
  it("takes in the snapshot and then each change", () => {
    const state = watching(agent("a"), agent("b"), complete, agent("a", 2), agent("c"));
    expect([...state.agents.keys()]).toEqual(["a", "b", "c"]);
    expect(state.agents.get("a")?.configRevision).toBe(2);
  });

  it("forgets an agent that was deleted", () => {
    const state = watching(agent("a"), agent("b"), complete);
    const deleted = create(WatchAgentsResponseSchema, { event: { case: "deletedAgentId", value: "a" } });
    expect(applyWatchEvent(state, deleted)).toBe(true);
    expect([...state.agents.keys()]).toEqual(["b"]);
  });

  it("shows what it knew during a new snapshot, and forgets afterwards what is not in it", () => {
    const state = watching(agent("a"), agent("b"), complete, resync, agent("b", 5));
    expect([...state.agents.keys()]).toEqual(["a", "b"]);
    applyWatchEvent(state, complete);
    expect([...state.agents.keys()]).toEqual(["b"]);
    applyWatchEvent(state, agent("c"));
    applyWatchEvent(state, complete);
    expect([...state.agents.keys()]).toEqual(["b", "c"]);
  });
});
