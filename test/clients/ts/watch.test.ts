import { Code, ConnectError, createRouterTransport, type ServiceImpl } from "@connectrpc/connect";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type AgentsView, createValinorClient } from "../../../clients/ts/src/index.ts";
import {
  AgentRegistry,
  type WatchAgentsResponseSchema,
} from "../../../gen/ts/valinor/v1/agent_registry_pb.ts";

type Event = MessageInitShape<typeof WatchAgentsResponseSchema>;

const agent = (id: string, etag = "1"): Event => ({ event: { case: "agent", value: { id, etag } } });
const deleted = (id: string): Event => ({ event: { case: "deletedAgentId", value: id } });
const complete: Event = { event: { case: "snapshotComplete", value: true } };
const resync: Event = { event: { case: "resync", value: "the watcher fell behind" } };

/** What a watcher sees of a server that answers each watch with the next of these lists, and then breaks it. */
async function viewsOf(...watches: readonly (readonly Event[])[]): Promise<unknown[]> {
  let calls = 0;
  const service: Partial<ServiceImpl<typeof AgentRegistry>> = {
    async *watchAgents() {
      yield* watches[calls++] ?? [];
      const over = calls >= watches.length;
      throw over ? new ConnectError("no", Code.PermissionDenied) : new ConnectError("cut", Code.Unavailable);
    },
  };
  const transport = createRouterTransport(({ service: add }) => add(AgentRegistry, service));
  const views: unknown[] = [];
  const watching = (async () => {
    for await (const view of createValinorClient({ transport }).watchAgents()) views.push(describeView(view));
  })();
  await expect(watching).rejects.toMatchObject({ reason: "PERMISSION_DENIED" });
  return views;
}

function describeView({ agents, changed, removed, live }: AgentsView): string {
  const all = [...agents.values()].map(({ id, etag }) => `${id}${etag}`).toSorted();
  const marks = [...changed.map((id) => `+${id}`), ...removed.map((id) => `-${id}`)];
  return `${live ? "live" : "away"} ${all.join(" ")} | ${marks.join(" ")}`.trim();
}

describe("a watch of agents", () => {
  it("gives the snapshot as one view, and then each change", async () => {
    expect(
      await viewsOf([agent("a"), agent("b"), complete, agent("b", "2"), deleted("a"), agent("c")]),
    ).toEqual(["live a1 b1 | +a +b", "live a1 b2 | +b", "live b2 | -a", "live b2 c1 | +c", "away b2 c1 |"]);
  });

  it("tells after a cut what has changed meanwhile, and nothing else", async () => {
    expect(
      await viewsOf(
        [agent("a"), agent("b"), complete],
        [agent("b"), agent("c"), complete],
        [agent("b"), complete],
      ),
    ).toEqual([
      "live a1 b1 | +a +b",
      "away a1 b1 |",
      "live b1 c1 | +c -a",
      "away b1 c1 |",
      "live b1 | -c",
      "away b1 |",
    ]);
  });

  it("keeps the view while a snapshot comes in pieces, and takes a resync as one change", async () => {
    expect(
      await viewsOf(
        [agent("a"), agent("b"), complete, resync, agent("a"), agent("d"), deleted("d"), complete],
        [agent("a")],
      ),
    ).toEqual(["live a1 b1 | +a +b", "live a1 | -b", "away a1 |"]);
  });

  it("of no agents is a view as well", async () => {
    expect(await viewsOf([complete])).toEqual(["live  |", "away  |"]);
  });
});
