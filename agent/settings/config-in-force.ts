import type { ConfigAckJson } from "@valinor/proto/valinor/link/v1/link";
import {
  configDigest,
  Failure,
  isObject,
  isUint32,
  type ConfigWaiter,
  type PolicyForDigest,
  type UnknownObject,
} from "@valinor/protocol";
import { readSettings, type ModelSettings } from "./model-settings.ts";
import { NO_TOOLS, readPolicy } from "./tool-policy.ts";

/** A configuration, in force or on its way there. A run keeps the one it began with. */
export interface WantedConfig {
  /** 0 before the first. */
  readonly revision: number;
  /** Empty before the first. */
  readonly sha256: string;
  readonly settings: ModelSettings;
  readonly policy: PolicyForDigest;
}

/** How OpenClaw took a configuration. `away`: it could not be told, so nothing is known yet. */
export type ConfigOutcome =
  | { readonly kind: "applied" }
  | { readonly kind: "refused"; readonly reason: string }
  | { readonly kind: "away"; readonly reason: string };

/** A configuration that waits for its turn at OpenClaw, or has it. `again`: it is in force here, and is to be in force there too. */
export interface ConfigTurn {
  readonly ticket: number;
  readonly wanted: WantedConfig;
  readonly again: boolean;
}

/** The state of ConfigInForce as plain data. */
export interface ConfigState {
  readonly applied: WantedConfig;
  /** The first one has its turn. */
  readonly turns: readonly ConfigTurn[];
  readonly tickets: number;
}

/** State of an agent that was never sent a configuration. */
export const noConfig: ConfigState = {
  applied: { revision: 0, sha256: "", settings: {}, policy: NO_TOOLS },
  turns: [],
  tickets: 0,
};

/** What ConfigInForce has its owner do. */
export interface ConfigOutput {
  /** Make OpenClaw obey; `outcome` tells how that went. */
  apply(ticket: number, wanted: WantedConfig): void;
  /** Another configuration is in force. */
  onApplied(revision: number, now: number): void;
  /** A configuration was not applied. `reason` names a fault; a refusal's own words are the host's to log. */
  onNotApplied(
    event: "config_refused" | "config_waits" | "config_not_reapplied",
    revision: number,
    reason?: string,
  ): void;
}

/** What ConfigInForce bounds: configurations that wait for their turn, and those who wait for the end of one of them. */
export interface ConfigBounds {
  readonly appliesQueued: number;
  readonly exchanges: number;
}

/** The configuration in force, and the rules by which another takes its place: one after the other, and never an older one. */
export class ConfigInForce {
  readonly #bounds: ConfigBounds;
  readonly #output: ConfigOutput;
  #applied: WantedConfig;
  #turns: ConfigTurn[];
  #tickets: number;
  /** Who waits for the end of a turn, by its ticket. */
  readonly #waiters = new Map<number, ConfigWaiter[]>();

  constructor(bounds: ConfigBounds, output: ConfigOutput, state: ConfigState) {
    this.#bounds = bounds;
    this.#output = output;
    this.#applied = state.applied;
    this.#turns = [...state.turns];
    this.#tickets = state.tickets;
  }

  get applied(): WantedConfig {
    return this.#applied;
  }

  snapshot(): ConfigState {
    return { applied: this.#applied, turns: [...this.#turns], tickets: this.#tickets };
  }

  /**
   * Takes the payload of a `config_update`. The waiter hears what is in force afterwards, at once or when OpenClaw has obeyed. While
   * OpenClaw is away nothing can be said yet: the answer has `retry`, and the host pushes again. Throws Failure `invalid_config` if it
   * is no config update at all.
   */
  push(payload: UnknownObject, waiter: ConfigWaiter): void {
    const wanted = readUpdate(payload);
    if (typeof wanted === "string") return waiter.answer(this.#ack(wanted));
    const known = this.#turns.find((turn) => !turn.again && isSame(turn.wanted, wanted));
    if (known !== undefined) return this.#wait(known.ticket, waiter);
    if (this.#turns.filter(({ again }) => !again).length >= this.#bounds.appliesQueued)
      return waiter.answer(this.#notNow("too many configurations wait for their turn"));
    const ticket = ++this.#tickets;
    this.#waiters.set(ticket, [waiter]);
    this.#enqueue({ ticket, wanted, again: false });
  }

  /** OpenClaw is there again: what is in force here is to be in force there too. It may have lost it, or somebody changed it. */
  reapply(): void {
    const waits = this.#turns.slice(1).some(({ again }) => again);
    if (this.#applied.revision === 0 || waits) return;
    this.#enqueue({ ticket: ++this.#tickets, wanted: this.#applied, again: true });
  }

  /** OpenClaw has taken, or not taken, the configuration whose turn it is. Another ticket is none of ours. */
  outcome(ticket: number, outcome: ConfigOutcome, now: number): void {
    const turn = this.#turns[0];
    if (turn?.ticket !== ticket) return;
    if (turn.again) this.#reapplied(turn.wanted, outcome);
    else this.#answer(turn, this.#conclude(turn.wanted, outcome, now));
    this.#turns.shift();
    this.#begin();
  }

  #enqueue(turn: ConfigTurn): void {
    this.#turns.push(turn);
    if (this.#turns.length === 1) this.#begin();
  }

  #wait(ticket: number, waiter: ConfigWaiter): void {
    const waiters = this.#waiters.get(ticket) ?? [];
    if (waiters.length >= this.#bounds.exchanges)
      return waiter.answer(this.#notNow("too many wait for this configuration"));
    waiters.push(waiter);
    this.#waiters.set(ticket, waiters);
  }

  /** Begins the first turn that has something to do at OpenClaw; those before it end at once. */
  #begin(): void {
    for (let turn = this.#turns[0]; turn !== undefined; turn = this.#turns[0]) {
      if (turn.again ? isSame(turn.wanted, this.#applied) : turn.wanted.revision > this.#applied.revision) {
        return this.#output.apply(turn.ticket, turn.wanted);
      }
      if (!turn.again) this.#answer(turn, this.#ack(this.#whyNotNewer(turn.wanted)));
      this.#turns.shift();
    }
  }

  /** Why a configuration that is not newer is refused; undefined if it is in force. */
  #whyNotNewer({ revision, sha256 }: WantedConfig): string | undefined {
    const inForce = this.#applied;
    if (revision < inForce.revision)
      return `revision ${revision} is older than ${inForce.revision}, which is in force`;
    return sha256 === inForce.sha256 ? undefined : `revision ${revision} is in force with another digest`;
  }

  #conclude(wanted: WantedConfig, outcome: ConfigOutcome, now: number): ConfigAckJson {
    const { revision } = wanted;
    switch (outcome.kind) {
      case "applied":
        this.#applied = wanted;
        this.#output.onApplied(revision, now);
        return this.#ack(undefined);
      case "refused":
        this.#output.onNotApplied("config_refused", revision);
        return this.#ack(outcome.reason);
      case "away":
        this.#output.onNotApplied("config_waits", revision, outcome.reason);
        return this.#notNow("OpenClaw is away, so the configuration cannot be applied yet");
    }
  }

  #reapplied({ revision }: WantedConfig, outcome: ConfigOutcome): void {
    if (outcome.kind !== "applied")
      this.#output.onNotApplied("config_not_reapplied", revision, outcome.reason);
  }

  #answer({ ticket }: ConfigTurn, ack: ConfigAckJson): void {
    const waiters = this.#waiters.get(ticket) ?? [];
    this.#waiters.delete(ticket);
    for (const waiter of waiters) waiter.answer(ack);
  }

  /** What is in force stays, and nothing is said of the new one: the host pushes it again. */
  #notNow(reason: string): ConfigAckJson {
    return { ...this.#ack(reason), retry: true };
  }

  #ack(reason: string | undefined): ConfigAckJson {
    const { revision, sha256 } = this.#applied;
    const ack: ConfigAckJson = { applied: reason === undefined, revision, sha256 };
    return reason === undefined ? ack : { ...ack, reason };
  }
}

/** Reads a `config_update`; a string is the sentence by which it is refused. Throws Failure `invalid_config`. */
function readUpdate(payload: UnknownObject): WantedConfig | string {
  const config = payload["config"] ?? {};
  if (!isObject(config)) throw new Failure("invalid_config", "config is not an object");
  const policy = readPolicy(payload);
  const sha256 = configDigest(config, policy);
  const revision = payload["revision"] ?? undefined;
  const settings = readSettings(config);
  if (typeof settings === "string") return settings;
  const told = payload["sha256"] ?? undefined;
  if (!isUint32(revision) || revision === 0) return "revision is not an integer from 1";
  if (told !== undefined && told !== sha256) return "sha256 is not the digest of this config and tool policy";
  return { revision, sha256, settings, policy };
}

function isSame(a: WantedConfig, b: WantedConfig): boolean {
  return a.revision === b.revision && a.sha256 === b.sha256;
}
