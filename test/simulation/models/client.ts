import { transientReasons } from "../../../clients/ts/src/reasons.ts";
import type { Clock } from "../engine/clock.ts";
import type { History } from "../engine/history.ts";
import { type Chance, createChance } from "../engine/random.ts";
import { sleep, Task, type Tasked } from "../engine/task.ts";
import type { PlannedOp } from "../plan.ts";
import { ApiError } from "./api-error.ts";
import { Call, type Reply } from "./call.ts";
import type { Server } from "./calls.ts";
import { Left, Outages, readRun } from "./reader.ts";
import type { Settings } from "./store.ts";

/** A call that is given no answer for this long is given up. */
const PATIENCE_MS = 90_000;
/** A watcher that hears nothing for this long has heard everything. */
const IDLE_MS = 1_000;
const GIVE_UP_MS = 60_000;

/** What clients need of the world. */
export interface ClientParts {
  readonly seed: number;
  readonly clock: Clock;
  readonly history: History;
  /** A host that may be reached, or may not. */
  pickHost(chance: Chance): Server | undefined;
  /** True once nothing new is to begin. */
  isEnding(): boolean;
  /** Calls under way, so that faults find them. */
  readonly calls: Set<Call>;
  onEnd(op: string): void;
}

/** One operation of a client, from its beginning to its end. */
export class ClientOp {
  readonly #parts: ClientParts;
  readonly #op: PlannedOp;
  readonly #chance: Chance;
  readonly task: Task<string>;

  constructor(parts: ClientParts, op: PlannedOp) {
    this.#parts = parts;
    this.#op = op;
    this.#chance = createChance(parts.seed, `op ${op.name} ${op.mood}`);
    const { name, kind, agent } = op;
    parts.history.count(`client: ${kind}`);
    parts.history.record({ kind: "began", op: name, what: kind, agent });
    this.task = new Task(parts.clock, this.#body(), (end) => {
      const outcome = "value" in end ? end.value : outcomeOf(end.error);
      parts.history.count(`client: ${kind} ended: ${outcome}`);
      parts.history.record({ kind: "ended", op: name, outcome });
      parts.onEnd(name);
    });
  }

  *#body(): Tasked<string> {
    switch (this.#op.kind) {
      case "send":
        return yield* this.#send();
      case "stream":
      case "attach":
        return yield* this.#read();
      case "cancel":
        return yield* this.#once((server, call) => server.cancel(call, this.#op.agent, this.#op.run));
      case "config": {
        const config = this.#config();
        return yield* this.#once((server, call) => server.pushConfig(call, this.#op.agent, config));
      }
      case "context": {
        const key = `k${this.#chance.count(1, 3)}`;
        const text = this.#chance.pick(["", "short", `text of ${this.#op.name}`, "x".repeat(100)]);
        return yield* this.#once((server, call) => server.pushContext(call, this.#op.agent, key, text));
      }
      case "restart":
        yield* this.#until((server, call) => server.setStatus(call, this.#op.agent, "STOPPED"));
        yield* sleep(this.#chance.between(10, 8_000));
        return yield* this.#until((server, call) => server.setStatus(call, this.#op.agent, "RUNNING"));
      case "recreate":
        return yield* this.#once((server, call) => server.recreate(call, this.#op.agent));
      case "watch":
        return yield* this.#watch();
    }
  }

  *#read(): Tasked<string> {
    const { name: op, agent, run, kind } = this.#op;
    const { clock, history, seed } = this.#parts;
    const parts = {
      clock,
      history,
      chance: createChance(seed, `reader ${op}`),
      stream: (input: Parameters<Server["stream"]>[1]) =>
        this.#call((server, call) => server.stream(call, input)),
    };
    yield* readRun(parts, {
      op,
      agent,
      run,
      message: kind === "attach" ? undefined : this.#message(),
      giveUpAfterMs: GIVE_UP_MS,
      leaveAfter: this.#chance.chance(0.15) ? this.#chance.count(1, 6) : Infinity,
      thinkMs: this.#chance.chance(0.15) ? this.#chance.between(5, 400) : 0,
    });
    return "done";
  }

  /** A message whose whole answer comes at once; it is sent again under its name if that may help. */
  *#send(): Tasked<string> {
    const { name: op, agent, run } = this.#op;
    const { clock, history, seed } = this.#parts;
    const outages = new Outages({ clock, history, chance: createChance(seed, `reader ${op}`) }, GIVE_UP_MS);
    const message = this.#message();
    for (;;) {
      try {
        const input = { agent, run, message, afterSequence: 0, life: "", onDisconnect: "continue" } as const;
        const made = this.#call((server, call) => server.send(call, input));
        const { value, host } = yield* this.#result(made);
        this.#noteAnswer(value as readonly Reply[], host);
        return "done";
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        yield* outages.wait(error);
      }
    }
  }

  #noteAnswer(replies: readonly Reply[], host: string): void {
    const { name: op, agent, run } = this.#op;
    let life = "";
    for (const reply of replies) {
      if (reply.kind === "opened") ({ life } = reply);
      if (!("sequence" in reply)) continue;
      const { sequence, event, kind } = reply;
      this.#parts.history.record({
        kind: "read",
        op,
        agent,
        run,
        life,
        sequence,
        event,
        isLast: kind === "done",
        host,
      });
    }
  }

  *#watch(): Tasked<string> {
    const { clock, history } = this.#parts;
    const end = clock.now + this.#chance.between(2_000, 90_000);
    const thinkMs = this.#chance.chance(0.3) ? this.#chance.between(50, 2_000) : 0;
    const { name: watcher } = this.#op;
    while (clock.now < end && !this.#parts.isEnding()) {
      const made = this.#call((server, call) => server.watch(call));
      if (made === undefined) {
        yield* sleep(500);
        continue;
      }
      const { call, host } = made;
      history.record({ kind: "watched", watcher, host, event: "begin", agent: "", look: "" });
      while (call.end === undefined && clock.now < end && !this.#parts.isEnding()) {
        const reply = call.take();
        if (reply === undefined) {
          const isNews = yield { signals: [call.news], ms: Math.max(1, Math.min(IDLE_MS, end - clock.now)) };
          if (!isNews && call.isDrained && clock.now < end)
            history.record({ kind: "watched", watcher, host, event: "idle", agent: "", look: "" });
        } else if (reply.kind === "watched") {
          const { event, agent, look } = reply;
          history.record({ kind: "watched", watcher, host, event, agent, look });
          if (thinkMs > 0) yield* sleep(thinkMs);
        }
      }
      history.record({ kind: "watched", watcher, host, event: "end", agent: "", look: "" });
      call.leave();
    }
    return "left";
  }

  /** One call, made once. */
  *#once(make: (server: Server, call: Call) => void): Tasked<string> {
    yield* this.#result(this.#call(make));
    return "done";
  }

  /** One call, made until it succeeds. */
  *#until(make: (server: Server, call: Call) => void): Tasked<string> {
    for (;;) {
      try {
        return yield* this.#once(make);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        yield* sleep(this.#chance.between(200, 2_000));
      }
    }
  }

  *#result(made: { call: Call; host: string } | undefined): Tasked<{ value: unknown; host: string }> {
    if (made === undefined) throw new ApiError("CONNECTION_LOST");
    const { call, host } = made;
    for (;;) {
      const reply = call.take();
      if (reply?.kind === "result") return { value: reply.value, host };
      if (reply !== undefined) continue;
      if (call.end !== undefined) throw call.end.error ?? new ApiError("CONNECTION_LOST");
      const isNews = yield { signals: [call.news], ms: PATIENCE_MS };
      if (isNews) continue;
      call.leave();
      throw new ApiError("CONNECTION_LOST");
    }
  }

  #call(make: (server: Server, call: Call) => void): { call: Call; host: string } | undefined {
    const { clock, calls } = this.#parts;
    const server = this.#parts.pickHost(this.#chance);
    if (server === undefined) return undefined;
    for (const call of calls) if (call.end !== undefined) calls.delete(call);
    const call = new Call(clock, this.#chance);
    calls.add(call);
    clock.after(this.#chance.between(0.1, 4), () => make(server, call));
    return { call, host: server.name };
  }

  /** Sometimes another message under a name that is taken. */
  #message(): string {
    const { run } = this.#op;
    return this.#chance.chance(0.03) ? `${run}!another` : run;
  }

  #config(): Settings {
    const model = this.#chance.chance(0.15) ? "bad" : `m${this.#chance.count(1, 9)}`;
    return { model, note: this.#op.name };
  }
}

function outcomeOf(error: unknown): string {
  if (error instanceof Left) return "left";
  if (!(error instanceof ApiError)) throw error;
  const isTransient = transientReasons.has(error.reason) && error.sequence === undefined;
  return isTransient ? `gave up: ${error.reason}` : error.reason;
}
