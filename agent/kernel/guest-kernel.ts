import type { HeartbeatJson } from "@valinor/proto/valinor/link/v1/link";
import type { GuestLink, LinkPort } from "@valinor/protocol";
import { Ledger } from "../runs/ledger.ts";
import type { LedgerEntries } from "../runs/ledger-entries.ts";
import type { ModelEvent } from "../runs/model.ts";
import { Runs, type RunsOutput } from "../runs/runs.ts";
import { ConfigInForce, type ConfigOutcome, type ConfigOutput } from "../settings/config-in-force.ts";
import { Context } from "../settings/context.ts";
import { heartbeatOf } from "./heartbeat.ts";
import { Hosts, type HostsOwner } from "./hosts.ts";
import type { GuestInputs, GuestOptions, GuestOutput, ModelFailure } from "./ports.ts";
import type { GuestSnapshot, ServerView } from "./snapshot.ts";

/**
 * All rules of a guest: its links, runs, ledger, configuration and context, without I/O (docs/kernel.md). A process that starts makes it from
 * `freshBoot`, a machine that is restored from the `snapshot` of another kernel.
 */
export class GuestKernel implements GuestInputs, HostsOwner {
  readonly bootId: string;
  readonly #options: GuestOptions;
  readonly #output: GuestOutput;
  readonly #startedAt: number;
  readonly #hosts: Hosts;
  readonly #runs: Runs;
  readonly #ledger: Ledger;
  readonly #config: ConfigInForce;
  readonly #context: Context;
  #server: ServerView;
  #drainUntil: number | undefined;
  #drained = false;
  /** Nothing is due before that time. */
  #wakeAt: number;

  constructor(options: GuestOptions, output: GuestOutput, state: GuestSnapshot) {
    const { bounds } = options;
    const { bootId } = state;
    this.bootId = bootId;
    this.#options = options;
    this.#output = output;
    this.#startedAt = state.startedAt;
    this.#wakeAt = state.startedAt;
    this.#server = state.server;
    this.#drainUntil = state.drainUntil;
    const runs = new Runs(bounds, this.#runsOutput(), state.runs);
    const ledger = new Ledger(bounds, state.ledger, (entries, forgotten) =>
      output.log("warn", "ledger_full", { entries, forgotten }),
    );
    const config = new ConfigInForce(bounds, this.#configOutput(), state.config);
    const context = new Context(bounds, state.context);
    this.#runs = runs;
    this.#ledger = ledger;
    this.#config = config;
    this.#context = context;
    this.#hosts = new Hosts({ options, output, bootId, runs, ledger, config, context }, this);
  }

  snapshot(now: number): GuestSnapshot {
    return {
      bootId: this.bootId,
      startedAt: this.#startedAt,
      drainUntil: this.#drainUntil,
      server: this.#server,
      config: this.#config.snapshot(),
      context: this.#context.snapshot(),
      ledger: this.#ledger.snapshot(),
      runs: this.#runs.snapshot(now),
    };
  }

  /** Everything that the ledger remembers, for the file behind it. */
  get taken(): Pick<LedgerEntries, "size" | "lines"> {
    return this.#ledger.entries;
  }

  /** Runs that have not ended. */
  get inFlight(): number {
    return this.#runs.inFlight.size;
  }

  get draining(): boolean {
    return this.#drainUntil !== undefined;
  }

  openLink(port: LinkPort, now: number): GuestLink {
    return this.#hosts.open(port, now);
  }

  recorded(life: string, ok: boolean, now: number): void {
    this.#ledger.recorded(life, ok);
    this.#runs.recorded(life, ok, now);
  }

  modelEvents(life: string, events: readonly ModelEvent[], now: number): void {
    this.#runs.ofLife(life)?.call.take(events, now);
  }

  modelTool(life: string, name: string, now: number): void {
    this.#runs.ofLife(life)?.call.ranTool(name, now);
  }

  modelFailed(life: string, { code, message, cause }: ModelFailure, now: number): void {
    const run = this.#runs.ofLife(life);
    if (run === undefined || run.ended) return; // what follows the end of a run is no news
    this.#output.log("warn", "run_failed", { request_id: run.requestId, code, reason: cause });
    run.call.failed({ code, message }, now);
  }

  configApplied(ticket: number, outcome: ConfigOutcome, now: number): void {
    this.#config.outcome(ticket, outcome, now);
  }

  openclawChanged(server: ServerView, now: number): void {
    this.#server = server;
    const { state, kind, kindReason } = server;
    // What a server of another kind cannot do stands in docs/openclaw.md.
    this.#output.log("info", "openclaw_state", { state, server: kind ?? "unknown", reason: kindReason });
    if (state === "ready" && kind === "openclaw") this.#config.reapply();
    this.#hosts.tell(true, now);
  }

  drain(now: number): void {
    if (this.draining) return;
    this.#drainUntil = now + this.#options.bounds.drainMs;
    this.#output.log("info", "draining", { in_flight: this.inFlight });
    this.wakeAt(this.#drainUntil);
    this.#hosts.tell(true, now);
    this.quieter(now);
  }

  abandon(now: number): void {
    this.#drainUntil ??= now;
    this.#drained = true;
    this.#runs.abandonAll(now);
  }

  tick(now: number): void {
    this.#wakeAt = Infinity;
    this.#runs.tick(now);
    this.#ledger.sweep(now);
    this.#hosts.tick(now);
    this.quieter(now);
    this.wakeAt(this.#runs.nextWake());
    this.wakeAt(this.#hosts.nextWake());
    if (this.#drainUntil !== undefined && !this.#drained) this.wakeAt(this.#drainUntil);
  }

  nextWake(): number | undefined {
    return this.#wakeAt === Infinity ? undefined : this.#wakeAt;
  }

  wakeAt(time: number): void {
    if (time < this.#wakeAt) this.#wakeAt = time;
  }

  heartbeat(now: number): HeartbeatJson {
    const guest = {
      bootId: this.bootId,
      startedAt: this.#startedAt,
      draining: this.draining,
      inFlight: this.inFlight,
      config: this.#config.applied,
      contextSha256: this.#context.sha256,
      server: this.#server,
    };
    return heartbeatOf(guest, this.#options, now);
  }

  /** Says once that a guest which was told to stop may go: nothing is under way, or its time is up and what was left is cancelled. */
  quieter(now: number): void {
    if (this.#drainUntil === undefined || this.#drained) return;
    const isQuiet = this.inFlight === 0 && !this.#hosts.busy;
    if (now < this.#drainUntil && !isQuiet) return;
    this.#drained = true;
    this.#runs.stopAll(now);
    this.#output.drained();
  }

  #runsOutput(): RunsOutput {
    const output = this.#output;
    return {
      callModel: (life, request, watchTools) => output.callModel(life, request, watchTools),
      pauseModel: (life) => output.pauseModel(life),
      resumeModel: (life) => output.resumeModel(life),
      endModel: (life, answered) => output.endModel(life, answered),
      onCount: (now) => {
        this.#hosts.tell(false, now);
        this.quieter(now);
      },
      onNotRecorded: (requestId) => output.log("error", "request_not_recorded", { request_id: requestId }),
      wakeAt: (time) => this.wakeAt(time),
    };
  }

  #configOutput(): ConfigOutput {
    const output = this.#output;
    return {
      apply: (ticket, wanted) => output.applyConfig(ticket, wanted),
      onApplied: (revision, now) => {
        output.log("info", "config_applied", { revision });
        this.#hosts.tell(true, now);
      },
      onNotApplied: (event, revision, reason) => output.log("warn", event, { revision, reason }),
    };
  }
}
