/**
 * How long others wait while agents flood: a client that asks whether the server is ready and one that calls a quiet agent, beside
 * agents that each flood one stream within its credit; and the same two beside agents that are silent, which is their floor.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Child, startChild } from "./child.ts";
import { type Figure, figureOf } from "./figures.ts";
import type { Cores, MeasureOptions } from "./group.ts";
import type { GuestArgument } from "./guest.ts";
import type { LoadArgument } from "./load.ts";
import type { ServerArgument } from "./server-argument.ts";

/** How many agents flood, and how. */
export interface Flood {
  readonly agents: number;
  readonly answers: readonly string[];
}

/** Pause of a caller between two calls, milliseconds. */
const PAUSE_MS = 4;
/** Time in which a flood grows to its full size, seconds. */
const RISE_SECONDS = 1;
/** The callers' time without any flood before the first measurement, seconds. */
const WARM_SECONDS = 2;
/** The quiet guest and the callers run before what floods, on the core that they share. */
const FIRST = -10;
const LAST = 19;

/**
 * Measures one number of agents: `fairness/AGENTS/FLOOD/ready:p99` and so on in milliseconds, the chunks that the flood itself got
 * through (`rate`, a second), and `silent` for the floor.
 */
export async function measureFairness(
  flood: Flood,
  options: MeasureOptions,
): Promise<Record<string, Figure>> {
  const stand = new FairnessStand(flood.agents, options.cores);
  try {
    await stand.start();
    await stand.measure(undefined, WARM_SECONDS);
    const rounds = new Map<string, number[]>();
    for (let round = 0; round < options.rounds; round++) {
      for (const answer of [undefined, ...flood.answers]) {
        const seen = await stand.measure(answer, options.seconds);
        const name = `fairness/${flood.agents}/${answer?.replace(":", "-").replace(/000$/, "k") ?? "silent"}`;
        for (const [figure, value] of Object.entries(seen)) {
          const key = `${name}/${figure}`;
          rounds.set(key, [...(rounds.get(key) ?? []), value]);
        }
      }
    }
    return Object.fromEntries(
      [...rounds].map(([key, values]) => [key, figureOf(values, key.endsWith("rate") ? "1/s" : "ms")]),
    );
  } finally {
    await stand.stop();
  }
}

/** A server with agents that flood when they are asked, one that is quiet, and two callers. */
class FairnessStand {
  readonly #agents: number;
  readonly #cores: Cores | undefined;
  readonly #children: Child[] = [];
  #port = 0;
  #ready: Child | undefined;
  #unary: Child | undefined;

  constructor(agents: number, cores: Cores | undefined) {
    this.#agents = agents;
    this.#cores = cores;
  }

  async start(): Promise<void> {
    const load = this.#cores?.load;
    const flooding: GuestArgument = { guests: this.#agents, nice: LAST };
    const quiet: GuestArgument = { guests: 1, nice: FIRST };
    const guests = await this.#start("guest.ts", flooding, load);
    const well = await this.#start("guest.ts", quiet, load);
    const argument: ServerArgument = { guestPorts: [...guests.ports, ...well.ports] };
    const server = await this.#start("server-valinor.ts", argument, this.#cores?.server);
    this.#port = server.ports[0] ?? 0;
    this.#ready = await this.#call("ready");
    this.#unary = await this.#call("rest");
  }

  /** What the callers saw in so many seconds while the agents answer so; undefined: while nobody asks them. */
  async measure(answer: string | undefined, seconds: number): Promise<Record<string, number>> {
    const { ready, unary } = this.#callers();
    const flood = answer === undefined ? undefined : await this.#flood(answer);
    try {
      await sleep(RISE_SECONDS * 1000);
      const before = await flood?.sample();
      await Promise.all([ready.sample(), unary.sample()]);
      await sleep(seconds * 1000);
      const [ofReady, ofUnary, after] = await Promise.all([ready.sample(), unary.sample(), flood?.sample()]);
      // A caller that had no answer in all that time waited at least so long.
      const all = seconds * 1000;
      return {
        "ready:p50": ofReady.latency?.p50 ?? all,
        "ready:p99": ofReady.latency?.p99 ?? all,
        "unary:p50": ofUnary.latency?.p50 ?? all,
        "unary:p99": ofUnary.latency?.p99 ?? all,
        ...(before !== undefined &&
          after !== undefined && { rate: ((after.count - before.count) * 1e6) / (after.atUs - before.atUs) }),
      };
    } finally {
      await flood?.stop();
    }
  }

  async stop(): Promise<void> {
    // The callers first: a server that ends before them is an error to them.
    for (const child of this.#children.splice(0).toReversed()) await child.stop();
  }

  async #start(script: string, argument: unknown, core: number | undefined): Promise<Child> {
    const child = await startChild({ script, argument, core });
    this.#children.push(child);
    return child;
  }

  #callers(): { ready: Child; unary: Child } {
    if (this.#ready === undefined || this.#unary === undefined)
      throw new Error("the callers are not started");
    return { ready: this.#ready, unary: this.#unary };
  }

  #call(speaks: LoadArgument["speaks"]): Promise<Child> {
    const argument: LoadArgument = {
      speaks,
      port: this.#port,
      clients: 1,
      agents: 1,
      firstAgent: this.#agents,
      content: "unary",
      pauseMs: PAUSE_MS,
      nice: FIRST,
    };
    return this.#start("load.ts", argument, this.#cores?.load);
  }

  /** Asks every agent for one stream. */
  #flood(content: string): Promise<Child> {
    const argument: LoadArgument = {
      speaks: "sse",
      port: this.#port,
      clients: this.#agents,
      agents: this.#agents,
      content,
      nice: LAST,
    };
    return startChild({ script: "load.ts", argument, core: this.#cores?.load });
  }
}
