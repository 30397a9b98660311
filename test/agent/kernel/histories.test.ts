import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EVENT_OVERHEAD } from "../../../agent/runs/journal.ts";
import type { ModelEvent } from "../../../agent/runs/model.ts";
import { configOf, type Got, type HostEnd, isTerminal, Machine } from "./machine.ts";

const RUN_BYTES = 3_000;
const AGENT_BYTES = 9_000;
const LONGEST_EVENT = 600;

const bounds = {
  journalRunBytes: RUN_BYTES,
  journalAgentBytes: AGENT_BYTES,
  runsInFlight: 4,
  exchanges: 6,
  journalKeepMs: 5_000,
  runMs: 60_000,
  modelSilenceMs: 20_000,
  progressMs: 3_000,
  orphanMs: 2_000,
  hostSilenceMs: 1e9,
};

/** What happens to a guest, and how often. */
const KINDS = {
  connect: 1,
  message: 4,
  credit: 4,
  detach: 1,
  cancel: 1,
  cut: 0.5,
  room: 2,
  record: 4,
  text: 14,
  tool: 2,
  finish: 1,
  fail: 0.5,
  time: 2,
};
type Kind = keyof typeof KINDS;

/** One thing that happens: its kind, and numbers that say to whom and how much. */
const step = fc.tuple(
  fc.oneof(
    ...Object.entries(KINDS).map(([kind, weight]) => ({
      arbitrary: fc.constant(kind as Kind),
      weight: weight * 2,
    })),
  ),
  fc.nat(7),
  fc.nat(600),
);
const history = fc.array(step, { minLength: 50, maxLength: 250, size: "max" });

/** What a host knows of an exchange that it opened. */
interface Told {
  limit: number;
  detached: boolean;
}

/** Plays a history on a guest, and looks at it after each step. */
class History {
  readonly machine: Machine;
  /** Everything that hosts were sent. */
  readonly sent: Got[] = [];
  readonly #hosts: HostEnd[] = [];
  readonly #told = new Map<HostEnd, Map<string, Told>>();
  /** Events by life of the run and number: the same for every reader. */
  readonly #events = new Map<string, string>();
  #ids = 0;

  constructor(machine = new Machine({ bounds })) {
    this.machine = machine;
  }

  play(kind: Kind, who: number, much: number): void {
    const { machine } = this;
    const host = this.#hosts[who % Math.max(1, this.#hosts.length)];
    switch (kind) {
      case "connect":
        return this.#connect();
      case "message":
        return this.#message(host, requestOf(who, much), much);
      case "credit":
        return this.#credit(host, much);
      case "detach":
        return this.#detach(host, who);
      case "cancel":
        return host?.send("cancel", `c${++this.#ids}`, { request_id: requestOf(who, much), reason: "" });
      case "cut":
        return this.#cut(host);
      case "room":
        return host?.gone === undefined ? host?.room(much % 3 > 0 ? Infinity : much % 9) : undefined;
      case "record":
        return machine.record(much % 10 > 0);
      case "time":
        return machine.pass(much * 10);
      default:
        return this.#model(kind, who, much);
    }
  }

  /** A model says something, if it is read. */
  #model(kind: "text" | "tool" | "finish" | "fail", who: number, much: number): void {
    const { machine } = this;
    const open = machine.calls.filter(({ ended, paused }) => ended === undefined && !paused);
    const life = open[who % Math.max(1, open.length)]?.life;
    if (life === undefined) return;
    if (kind === "fail")
      return machine.kernel.modelFailed(life, { code: "read_error", message: "broke" }, machine.now);
    machine.kernel.modelEvents(life, eventsOf(kind, much), machine.now);
  }

  /** Every link is cut. */
  cutAll(): void {
    for (const host of this.#hosts) this.#cut(host);
  }

  /** Everything ends: links are cut, disks answer, models fail, and time goes by. */
  end(): void {
    this.machine.record();
    this.cutAll();
    this.machine.pass(10 * 60_000);
  }

  check(): void {
    for (const [host, exchanges] of this.#told) {
      for (const [id, told] of exchanges) this.#checkExchange(host.of(id), told);
      this.sent.push(...host.got.splice(0));
    }
  }

  #connect(): void {
    if (this.#hosts.length >= 4) return;
    const host = this.machine.greeted();
    if (this.#hosts.length === 0) host.send("config_update", "config", configOf(1));
    for (const { ticket } of this.machine.configs.splice(0))
      this.machine.kernel.configApplied(ticket, { kind: "applied" }, this.machine.now);
    this.#hosts.push(host);
    this.#told.set(host, new Map());
  }

  #message(host: HostEnd | undefined, requestId: string, much: number): void {
    if (host === undefined || host.gone !== undefined) return;
    const id = `x${++this.#ids}`;
    const limit = much % 3 === 0 ? much : much * 100;
    this.#told.get(host)?.set(id, { limit, detached: false });
    const onDisconnect = much % 2 === 0 ? "continue" : "cancel";
    host.message(id, { request_id: requestId, credit: limit, on_disconnect: onDisconnect });
  }

  #credit(host: HostEnd | undefined, much: number): void {
    for (const [id, told] of this.#told.get(host as HostEnd) ?? []) {
      told.limit += much * 3;
      host?.send("credit", id, { limit: told.limit });
    }
  }

  #detach(host: HostEnd | undefined, who: number): void {
    const exchanges = [...(this.#told.get(host as HostEnd) ?? [])];
    const [id, told] = exchanges[who % Math.max(1, exchanges.length)] ?? [];
    if (id === undefined || told === undefined) return;
    this.check();
    told.detached = true;
    host?.send("detach", id, {});
  }

  #cut(host: HostEnd | undefined): void {
    this.check();
    host?.cut();
    for (const told of this.#told.get(host as HostEnd)?.values() ?? []) told.detached = true;
  }

  readonly #readers = new WeakMap<Told, { sent: number; life: string; next: number; over: boolean }>();

  /** A reader gets opened, then a gapless list of events, the same as any other reader's, within its credit, and one terminal event. */
  #checkExchange(frames: readonly Got[], told: Told): void {
    const reader = this.#readers.get(told) ?? { sent: 0, life: "", next: 0, over: false };
    this.#readers.set(told, reader);
    must(!told.detached || frames.length === 0, "nothing comes after a detach or a cut");
    for (const frame of frames) {
      must(!reader.over, "an exchange has one end");
      const { type, payload } = frame;
      const counted = !(type === "error" && payload["sequence"] === undefined);
      must(!counted || reader.sent < told.limit, "no frame is begun without credit");
      reader.sent += frame.size;
      if (type === "opened") {
        must(reader.life === "", "an exchange is opened once");
        reader.life = payload["life"] as string;
        reader.next = payload["next_sequence"] as number;
      } else if (typeof payload["sequence"] === "number") {
        must(payload["sequence"] === reader.next++, "events have no gap");
        const name = `${reader.life} ${payload["sequence"]}`;
        const event = JSON.stringify([type, payload]);
        must((this.#events.get(name) ?? event) === event, "all readers get the same events");
        this.#events.set(name, event);
      }
      if (isTerminal(frame)) reader.over = true;
    }
  }
}

function must(holds: boolean, rule: string): void {
  if (!holds) throw new Error(`broken: ${rule}`);
}

function requestOf(who: number, much: number): string {
  return `r${who % 4}-${much % 5}`;
}

function eventsOf(kind: "text" | "tool" | "finish", much: number): ModelEvent[] {
  if (kind === "finish") return [{ kind: "finish", finishReason: "stop", usage: undefined }];
  if (kind === "tool") return [{ kind: "tool_call", call: { id: "i", name: "t", arguments: "{}" } }];
  const text = "x".repeat((much * 7) % 400);
  return Array.from({ length: 1 + (much % 4) }, () => ({ kind: "text", text }));
}

describe("any history of a guest", () => {
  it("gives every reader a gapless list of events within its credit and one end, and keeps the bounds on memory", () => {
    fc.assert(
      fc.property(history, (steps) => {
        const played = new History();
        played.play("connect", 0, 0);
        for (const [kind, who, much] of steps) {
          played.play(kind, who, much);
          played.check();
          const { runs } = played.machine.kernel.snapshot(played.machine.now);
          const held = runs.map(({ journal }) => journal.events.reduce((sum, { bytes }) => sum + bytes, 0));
          // Each run may be over by one event; the agent by one of each run.
          for (const bytes of held)
            expect(bytes).toBeLessThanOrEqual(RUN_BYTES + LONGEST_EVENT + EVENT_OVERHEAD);
          const total = played.machine.journalBytes();
          expect(total).toBeLessThanOrEqual(AGENT_BYTES + runs.length * (LONGEST_EVENT + EVENT_OVERHEAD));
        }
      }),
      { numRuns: 150 },
    );
  });

  it("goes on in a machine that is made from a copy as it does in the first one", () => {
    fc.assert(
      fc.property(history, history, (before, after) => {
        const first = new History();
        first.play("connect", 0, 0);
        for (const [kind, who, much] of before) first.play(kind, who, much);
        first.cutAll();
        const worlds = [first.machine.fork(), first.machine].map((machine) => new History(machine));
        for (const world of worlds) {
          world.machine.tick();
          world.play("connect", 0, 0);
          for (const [kind, who, much] of after) world.play(kind, who, much);
          world.end();
        }
        const [fork, original] = worlds.map(({ machine, sent }) => ({
          sent,
          calls: machine.calls,
          snapshot: machine.kernel.snapshot(machine.now),
        }));
        expect(fork).toEqual(original);
      }),
      { numRuns: 60 },
    );
  });

  it("calls the model at most once for a request, and leaves nothing behind", () => {
    fc.assert(
      fc.property(history, (steps) => {
        const played = new History();
        played.play("connect", 0, 0);
        for (const [kind, who, much] of steps) played.play(kind, who, much);
        played.end();
        const { machine } = played;
        const { runs, ledger } = machine.kernel.snapshot(machine.now);
        expect(runs).toEqual([]);
        expect(ledger.recording.size).toBe(0);
        expect([machine.kernel.inFlight, machine.kernel.nextWake()]).toEqual([0, undefined]);
        expect(machine.calls.every(({ ended }) => ended !== undefined)).toBe(true);
        const names = ledger.generations.flatMap(({ digests }) => [...digests.keys()]);
        expect(machine.calls.length).toBeLessThanOrEqual(names.length);
      }),
      { numRuns: 150 },
    );
  });
});
