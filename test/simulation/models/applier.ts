import type { ConfigOutcome, WantedConfig } from "../../../agent/settings/config-in-force.ts";
import type { Appointment, Clock } from "../engine/clock.ts";
import type { Chance } from "../engine/random.ts";
import type { Applying } from "./machine-image.ts";
import type { OpenClawModel } from "./openclaw.ts";

/** Who is told how a configuration fared at OpenClaw. */
export type OnApplied = (applying: Applying, outcome: ConfigOutcome) => void;

/** Makes OpenClaw obey a configuration, which takes a while: some it refuses, and while it is away nothing is known. */
export class Applier {
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #openclaw: OpenClawModel;
  readonly #onApplied: OnApplied;
  #applying: Applying | undefined;
  #end: Appointment | undefined;

  constructor(clock: Clock, chance: Chance, openclaw: OpenClawModel, onApplied: OnApplied) {
    this.#clock = clock;
    this.#chance = chance;
    this.#openclaw = openclaw;
    this.#onApplied = onApplied;
  }

  /** What OpenClaw is being told. */
  get applying(): Applying | undefined {
    return this.#applying;
  }

  apply(ticket: number, config: WantedConfig): void {
    const applying = { ticket, config };
    this.#applying = applying;
    const ms = this.#chance.between(0.5, this.#chance.chance(0.1) ? 3_000 : 20);
    this.#end = this.#clock.after(ms, () => {
      this.#applying = undefined;
      this.#onApplied(applying, this.#outcomeOf(config));
    });
  }

  /** Whoever asked is gone. */
  drop(): void {
    if (this.#end !== undefined) this.#end.isOff = true;
    this.#applying = undefined;
  }

  #outcomeOf({ settings }: WantedConfig): ConfigOutcome {
    if (this.#openclaw.state !== "ready") return { kind: "away", reason: "OpenClaw is away" };
    return settings.model === "bad"
      ? { kind: "refused", reason: "there is no such model" }
      : { kind: "applied" };
  }
}
