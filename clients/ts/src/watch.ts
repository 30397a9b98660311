import { equals } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import {
  type Agent,
  type AgentRegistry,
  AgentSchema,
  type WatchAgentsResponse,
} from "@valinor/proto/valinor/v1/agent_registry";
import { readCall } from "./calls.ts";
import { connectionLost, isReason, toValinorError } from "./errors.ts";
import { Outages, type RetryOptions } from "./retry.ts";

/** The tenant's agents as they are now, and what has changed since the view before. */
export interface AgentsView {
  /** Every agent by its id. It is one map, brought up to date in place: copy it to keep an old state. */
  readonly agents: ReadonlyMap<string, Agent>;
  /** Ids of agents that are new or have changed. */
  readonly changed: readonly string[];
  /** Ids of agents that are gone. */
  readonly removed: readonly string[];
  /** False while the connection is away: the agents are as they were last seen. */
  readonly live: boolean;
}

/** How to watch. */
export interface WatchOptions extends RetryOptions {
  /** Ends the watch: the loop over it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Milliseconds without a word of the server after which the connection counts as lost; default 45,000. */
  readonly silenceMs?: number;
}

/** Agents as the reader was last told, and the snapshot that is coming. */
interface Known {
  readonly agents: Map<string, Agent>;
  snapshot: Map<string, Agent> | undefined;
}

/**
 * Watches the tenant's agents as one continuous view. The first view has all of them, and each later one tells a change. After a
 * cut the watch is made again by itself; what has changed meanwhile comes as one view. It ends with an error only if none
 * of that can help, such as a credential that is not good any more (once a watch was up, a fresh one is tried first).
 */
export async function* watchAgents(
  client: Client<typeof AgentRegistry>,
  options: WatchOptions = {},
): AsyncGenerator<AgentsView, undefined> {
  const signal = options.signal ?? new AbortController().signal;
  const outages = new Outages(options.giveUpAfterMs ?? Infinity, options);
  const known: Known = { agents: new Map(), snapshot: undefined };
  const silenceMs = (): number => options.silenceMs ?? 45_000;
  let live = false;
  for (;;) {
    try {
      known.snapshot = new Map();
      const open = (call: AbortSignal) => client.watchAgents({}, { signal: call });
      for await (const { event } of readCall(open, silenceMs, signal)) {
        const change = apply(known, event);
        if (change === undefined) continue;
        outages.over();
        outages.answered();
        if (!live || change.changed.length + change.removed.length > 0) {
          live = true;
          yield { agents: known.agents, ...change, live };
        }
      }
      throw connectionLost("the watch ended");
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toValinorError(thrown);
      const expired = live && isReason(error, "UNAUTHENTICATED");
      if (live) yield { agents: known.agents, changed: [], removed: [], live: (live = false) };
      if (!expired) await outages.wait(error, signal);
    }
  }
}

interface Change {
  readonly changed: readonly string[];
  readonly removed: readonly string[];
}

/** Takes an event into account. What it changes; undefined while a snapshot is coming, and for keepalives. */
function apply(known: Known, event: WatchAgentsResponse["event"]): Change | undefined {
  switch (event.case) {
    case "agent": {
      const agent = event.value;
      const target = known.snapshot ?? known.agents;
      target.set(agent.id, agent);
      return known.snapshot === undefined ? { changed: [agent.id], removed: [] } : undefined;
    }
    case "deletedAgentId": {
      const id = event.value;
      if (known.snapshot !== undefined) {
        known.snapshot.delete(id);
        return undefined;
      }
      return { changed: [], removed: known.agents.delete(id) ? [id] : [] };
    }
    case "snapshotComplete":
      return known.snapshot === undefined ? undefined : replace(known, known.snapshot);
    case "resync":
      known.snapshot = new Map();
      return undefined;
    case "keepalive":
    case undefined:
      return undefined;
  }
}

function replace(known: Known, snapshot: Map<string, Agent>): Change {
  const { agents } = known;
  const removed = [...agents.keys()].filter((id) => !snapshot.has(id));
  const changed = [...snapshot.values()].filter((agent) => {
    const before = agents.get(agent.id);
    return before === undefined || !equals(AgentSchema, before, agent);
  });
  for (const id of removed) agents.delete(id);
  for (const agent of changed) agents.set(agent.id, agent);
  known.snapshot = undefined;
  return { changed: changed.map(({ id }) => id), removed };
}
