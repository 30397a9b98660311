import type { ModelFailure } from "../../../agent/kernel/ports.ts";
import type { ModelEvent } from "../../../agent/runs/model.ts";
import type { Appointment, Clock } from "../engine/clock.ts";
import type { History } from "../engine/history.ts";
import { type Chance, createChance } from "../engine/random.ts";

/** A piece of an answer, or its end. */
export type Piece =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "tool_call"; readonly text: string }
  | { readonly kind: "finish" }
  | {
      readonly kind: "failure";
      readonly code: "openclaw_error" | "read_error" | "request_error" | "truncated";
    };

/** Where an answer comes out. */
export interface Listener {
  /** The model answers the call of that life. */
  pieces(life: string, pieces: readonly Piece[]): void;
}

/** One call of the model. */
interface ModelCall {
  readonly life: string;
  /** Name of the answer: nobody else's has it, and each piece of it bears it. */
  readonly name: string;
  readonly run: string;
  /** How many pieces there are, how long each is, and how far apart they come. */
  readonly pieces: number;
  readonly bytes: number;
  readonly gapMs: number;
  readonly ending: "finish" | "error" | "hang" | "truncated";
  given: number;
  isPaused: boolean;
  next: Appointment | undefined;
}

/** OpenClaw as it was when its machine was copied. */
export interface ModelImage {
  readonly state: OpenClawModel["state"];
  readonly calls: readonly ModelCall[];
}

/** Everything about the models of one world. */
export interface ModelParts {
  readonly seed: number;
  readonly clock: Clock;
  readonly history: History;
}

/**
 * A model of OpenClaw in one machine. Every answer is another one, and each piece says of which answer it is and which piece: so a reader's
 * text tells by itself whether something is missing, repeated or mixed.
 */
export class OpenClawModel {
  state: "ready" | "starting" | "down" = "ready";
  readonly #parts: ModelParts;
  readonly #machine: string;
  readonly #listener: Listener;
  readonly #calls = new Map<string, ModelCall>();
  readonly #chance: Chance;
  #made = 0;
  #stalledUntil = 0;

  /** `from`: the machine is a copy, and what was under way there goes on here by itself. */
  constructor(parts: ModelParts, machine: string, listener: Listener, from?: ModelImage) {
    this.#parts = parts;
    this.#machine = machine;
    this.#listener = listener;
    this.#chance = createChance(parts.seed, `openclaw ${machine}`);
    if (from === undefined) return;
    this.state = from.state;
    for (const call of from.calls) this.#branch(call);
  }

  /** Calls under way. */
  get size(): number {
    return this.#calls.size;
  }

  image(): ModelImage {
    return { state: this.state, calls: [...this.#calls.values()].map((call) => ({ ...call })) };
  }

  /** Begins an answer, and says its name. */
  call(life: string, run: string): string {
    const name = `${this.#machine}.c${++this.#made}`;
    const chance = createChance(this.#parts.seed, name);
    const isLarge = chance.chance(0.06);
    const call: ModelCall = {
      life,
      name,
      run,
      pieces: isLarge ? chance.count(20, 80) : chance.count(0, chance.chance(0.3) ? 40 : 10),
      bytes: isLarge ? chance.count(2_000, 9_000) : chance.count(0, 60),
      gapMs: chance.chance(0.7) ? chance.between(1, 60) : chance.between(60, 2_500),
      ending: chance.weighed({ finish: 20, error: 2, hang: 1, truncated: 1 }),
      given: 0,
      isPaused: false,
      next: undefined,
    };
    this.#calls.set(life, call);
    if (this.state === "ready") this.#arrange(call);
    else this.#end(call, { kind: "failure", code: "request_error" });
    return name;
  }

  pause(life: string): void {
    const call = this.#calls.get(life);
    if (call === undefined) return;
    call.isPaused = true;
    if (call.next !== undefined) call.next.isOff = true;
    call.next = undefined;
  }

  resume(life: string): void {
    const call = this.#calls.get(life);
    if (call === undefined || !call.isPaused) return;
    call.isPaused = false;
    this.#arrange(call);
  }

  /** The caller wants nothing more. */
  drop(life: string): void {
    const call = this.#calls.get(life);
    if (call?.next !== undefined) call.next.isOff = true;
    this.#calls.delete(life);
  }

  /** The caller is gone. */
  dropAll(): void {
    for (const life of this.#calls.keys()) this.drop(life);
  }

  /** It dies: every answer breaks off. */
  kill(): void {
    this.state = "down";
    for (const call of this.#calls.values()) this.#end(call, { kind: "failure", code: "read_error" });
  }

  /** It says nothing for a while. */
  stall(ms: number): void {
    this.#stalledUntil = this.#parts.clock.now + ms;
  }

  /** A copy of a call, in a machine that is a copy: what it has not said yet it says in its own words. */
  #branch(from: ModelCall): void {
    const name = `${this.#machine}.c${++this.#made}`;
    const chance = createChance(this.#parts.seed, name);
    const left = from.pieces - from.given;
    const call: ModelCall = {
      ...from,
      name,
      pieces: from.given + chance.count(0, left + 3),
      ending: chance.weighed({ finish: 8, error: 2, hang: 1 }),
      next: undefined,
    };
    this.#calls.set(call.life, call);
    this.#parts.history.record({ kind: "branched", call: name, from: from.name, shared: from.given });
    if (!call.isPaused) this.#arrange(call);
  }

  #arrange(call: ModelCall): void {
    const { clock } = this.#parts;
    const due = Math.max(clock.now + this.#chance.between(0.2, 2) * call.gapMs, this.#stalledUntil);
    call.next = clock.at(due, () => {
      call.next = undefined;
      this.#speak(call);
    });
  }

  #speak(call: ModelCall): void {
    const most = Math.min(call.pieces - call.given, this.#chance.count(1, 4));
    const pieces: Piece[] = [];
    for (let i = 0; i < most; i++) {
      const mark = `${call.name}/${++call.given}`;
      const kind = call.bytes < 20 && call.given % 7 === 6 ? "tool_call" : "text";
      pieces.push({ kind, text: `${mark};${"x".repeat(call.bytes)}` });
    }
    if (call.given === call.pieces && call.ending !== "hang" && this.#chance.chance(0.5)) {
      pieces.push(endOf(call));
      this.#calls.delete(call.life);
    } else if (call.given < call.pieces || call.ending !== "hang") {
      this.#arrange(call);
    }
    if (pieces.length > 0) this.#listener.pieces(call.life, pieces);
  }

  #end(call: ModelCall, piece: Piece): void {
    this.drop(call.life);
    this.#parts.clock.after(this.#chance.between(0.1, 3), () => this.#listener.pieces(call.life, [piece]));
  }
}

function endOf({ ending }: ModelCall): Piece {
  if (ending === "error") return { kind: "failure", code: "openclaw_error" };
  if (ending === "truncated") return { kind: "failure", code: "truncated" };
  return { kind: "finish" };
}

/** What a guest makes of pieces: events of its kernel, and how the call failed, if it did. */
export function eventsOf(pieces: readonly Piece[]): {
  events: ModelEvent[];
  failure: ModelFailure | undefined;
} {
  const events: ModelEvent[] = [];
  let failure: ModelFailure | undefined;
  for (const piece of pieces) {
    if (piece.kind === "text") events.push({ kind: "text", text: piece.text });
    else if (piece.kind === "tool_call")
      events.push({ kind: "tool_call", call: { id: "1", name: "look", arguments: piece.text } });
    else if (piece.kind === "finish") events.push({ kind: "finish", finishReason: "stop", usage: undefined });
    else if (piece.kind === "failure") failure = { code: piece.code, message: "the model failed" };
  }
  return { events, failure };
}
