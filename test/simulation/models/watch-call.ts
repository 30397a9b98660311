import type { Changes } from "../../../src/core/watch/watch-changes.ts";
import type { Clock } from "../engine/clock.ts";
import { Signal, type Tasked } from "../engine/task.ts";
import type { Call, Reply } from "./call.ts";
import type { StoreModel } from "./store.ts";

/** Changes of one agent within this time come as one; a keepalive is sent after that much silence. */
export const GATHER_MS = 100;
const KEEPALIVE_MS = 15_000;
/** Agents that a watcher may have yet to be told of: few, so that it is too slow now and then. */
const MOST_CHANGES = 2;

/** Makes the set of changes of one watcher; tests of the auditors make another one. */
export type ChangesMaker = (...made: ConstructorParameters<typeof Changes>) => Changes;

/** What a watch needs of its host. */
export interface WatchParts {
  readonly clock: Clock;
  readonly store: StoreModel;
  readonly makeChanges: ChangesMaker;
  now(): number;
  /** How an agent looks now; undefined if it is not served. */
  lookOf(agent: string): string | undefined;
  /** Tells the set of changes until the answer is called. `stir` is called after each. */
  listen(changes: Changes, stir: () => void): () => void;
}

/** One watch, to be served until its client leaves: what src/core/watch/watch.ts does with promises, over the same set of changes. */
export function* serveWatch(parts: WatchParts, call: Call): Tasked<void> {
  const changes = parts.makeChanges(GATHER_MS, MOST_CHANGES, () => parts.now());
  const stirred = new Signal();
  // Before the snapshot is read: no change may fall between the two.
  const forget = parts.listen(changes, () => stirred.wake());
  const tell = (reply: Omit<Reply & { kind: "watched" }, "kind">) =>
    sendWhenRoom(call, { kind: "watched", ...reply });
  try {
    while (!call.isAborted) {
      for (const { id } of yield* parts.store.all()) {
        const look = parts.lookOf(id);
        if (look !== undefined) yield* tell({ event: "agent", agent: id, look });
      }
      if (changes.lost === undefined) {
        yield* tell({ event: "complete", agent: "", look: "" });
        yield* follow(parts, call, changes, stirred);
      }
      if (changes.lost === undefined) return;
      yield* tell({ event: "resync", agent: "", look: "" });
      changes.clear();
    }
  } finally {
    forget();
  }
}

/** Tells the changes until they are lost or the watcher has left. */
function* follow(parts: WatchParts, call: Call, changes: Changes, stirred: Signal): Tasked<void> {
  const { clock } = parts;
  let silentSince = clock.now;
  while (!call.isAborted && changes.lost === undefined) {
    const silence = clock.now - silentSince;
    const due = changes.dueMs() ?? Infinity;
    if (due > 0 && silence < KEEPALIVE_MS) {
      yield { signals: [stirred, call.stirred], ms: Math.min(due, KEEPALIVE_MS - silence) };
      continue;
    }
    if (due > 0) yield* sendWhenRoom(call, { kind: "keepalive" });
    else
      for (const agent of changes.take()) {
        const look = parts.lookOf(agent);
        const event = look === undefined ? "deleted" : "agent";
        yield* sendWhenRoom(call, { kind: "watched", event, agent, look: look ?? "" });
      }
    silentSince = clock.now;
  }
}

/** Sends a reply as soon as the client has taken enough of those before it. */
export function* sendWhenRoom(call: Call, reply: Reply): Tasked<void> {
  while (!call.hasRoom && !call.isAborted) yield { signals: [call.stirred], ms: Infinity };
  if (!call.isAborted) call.reply(reply);
}
