import { LinkError } from "@valinor/protocol";
import type { RunRequest } from "../../../src/core/runs/open-rules.ts";
import type { SeenRuns } from "../../../src/core/runs/seen-runs.ts";
import type { Clock } from "../engine/clock.ts";
import { Signal, sleep, type Tasked } from "../engine/task.ts";
import { ApiError } from "./api-error.ts";
import type { Call, Reply } from "./call.ts";
import type { StreamInput } from "./calls.ts";
import { CONFIG_MS, type HostAgent } from "./host-agent.ts";
import { openRun, readRun } from "./run-call.ts";
import { type Settings, StoreDown, type StoreModel } from "./store.ts";
import { sendWhenRoom } from "./watch-call.ts";

/** A unary message has this long. */
const MESSAGE_MS = 60_000;

/** What calls need of the host that serves them. */
export interface HostCallsParts {
  readonly clock: Clock;
  readonly store: StoreModel;
  readonly seenRuns: SeenRuns;
  find(id: string): Tasked<HostAgent>;
  spawn(body: Tasked<void>): void;
}

/** The bodies of a host's calls: what src/core does with promises. A body throws what its client is told. */
export class HostCalls {
  readonly #parts: HostCallsParts;

  constructor(parts: HostCallsParts) {
    this.#parts = parts;
  }

  *stream(call: Call, input: StreamInput): Tasked<void> {
    yield* this.#run(call, input, function* (replies) {
      for (const reply of replies) yield* sendWhenRoom(call, reply);
    });
  }

  /** The whole answer at once, within a minute. */
  *send(call: Call, input: StreamInput): Tasked<void> {
    const replies: Reply[] = [];
    const leaving = { leave: () => {} };
    const late = this.#parts.clock.after(MESSAGE_MS, () => leaving.leave());
    const began = this.#parts.clock.now;
    try {
      const gather = (events: readonly Reply[]): Tasked<void> => {
        replies.push(...events);
        return nothing();
      };
      yield* this.#run(call, input, gather, leaving);
    } catch (error) {
      if (this.#parts.clock.now - began < MESSAGE_MS) throw error;
      throw new ApiError("AGENT_TIMEOUT", {}, 0);
    } finally {
      late.isOff = true;
    }
    call.reply({ kind: "result", value: replies });
  }

  *#run(
    call: Call,
    input: StreamInput,
    give: (replies: readonly Reply[]) => Tasked<void>,
    leaving: { leave: () => void } = { leave: () => {} },
  ): Tasked<void> {
    const agent = yield* this.#parts.find(input.agent);
    call.onAbort(() => leaving.leave());
    const { stored } = agent;
    const key = { id: stored.id, createTime: new Date(stored.birth) };
    const request: RunRequest = {
      runId: input.run,
      conversationId: "",
      message: input.message === undefined ? undefined : { role: "user", content: input.message },
      afterSequence: input.afterSequence,
      onDisconnect: input.onDisconnect,
      allowStale: false,
      life: input.life,
      seen: this.#parts.seenRuns.open(key as Parameters<SeenRuns["open"]>[0], input.run),
    };
    const opened = yield* openRun(agent, request, call, leaving);
    yield* give([{ kind: "opened", life: opened.life, birth: stored.birth }]);
    try {
      yield* readRun(opened, request, give);
    } finally {
      opened.connection.detach(opened.exchange, new LinkError("closed", "the reader left"));
    }
  }

  *cancel(call: Call, id: string, run: string): Tasked<void> {
    const agent = yield* this.#parts.find(id);
    const connection = yield* agent.reach();
    const answer = yield* connection.request(
      "cancel",
      { request_id: run, reason: "a client says so" },
      CONFIG_MS,
    );
    call.reply({ kind: "result", value: answer.payload["found"] === true });
  }

  *pushConfig(call: Call, id: string, config: Settings): Tasked<void> {
    const agent = yield* this.#parts.find(id);
    const stored = yield* this.#parts.store.putConfig(id, config, 0);
    const outcome = yield* agent.configStored(stored.config, CONFIG_MS);
    const isApplied = outcome?.applied === true;
    call.reply({
      kind: "result",
      value: { isApplied, revision: outcome?.revision ?? stored.config.revision },
    });
  }

  /** An entry that the guest refuses is taken back, however late it says so. */
  *pushContext(call: Call, id: string, key: string, text: string): Tasked<void> {
    const agent = yield* this.#parts.find(id);
    const { before, entry } = yield* this.#parts.store.putContext(id, key, text);
    const told = new Signal();
    let isTold = false;
    const watch = function* (calls: HostCalls): Tasked<void> {
      const verdict = yield* agent.contextStored(entry, Infinity);
      isTold = true;
      told.wake();
      if (verdict?.refused !== true) return;
      for (let tries = 0; tries < 25; tries++) {
        try {
          yield* calls.#parts.store.restoreContext(id, entry, before);
          return agent.contextsChanged();
        } catch (error) {
          if (!(error instanceof StoreDown)) return;
          yield* sleep(1_000);
        }
      }
    };
    this.#parts.spawn(watch(this));
    if (!isTold) yield { signals: [told], ms: CONFIG_MS };
    call.reply({ kind: "result", value: undefined });
  }
}

/** What has nothing to wait for. */
function* nothing(): Tasked<void> {
  yield* [];
}
