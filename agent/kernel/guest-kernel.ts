import type { ConfigAckJson, HeartbeatJson } from "@valinor/proto/valinor/link/v1/link";
import {
  type ClosedLink,
  type ConfigWaiter,
  Failure,
  GuestLink,
  isToken,
  type LinkOwner,
  type LinkPort,
  type Message,
  type OpenedRun,
  type OwnedLink,
  type UnknownObject,
} from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";
import { attachTo } from "../runs/attach.ts";
import { Ledger } from "../runs/ledger.ts";
import { cancelledBy } from "../runs/endings.ts";
import type { LedgerEntries } from "../runs/ledger-entries.ts";
import { answerForLostRun } from "../runs/lost-runs.ts";
import type { ModelEvent } from "../runs/model.ts";
import type { Run } from "../runs/run.ts";
import { Runs, type RunsOutput } from "../runs/runs.ts";
import { ConfigInForce, type ConfigOutcome, type ConfigOutput } from "../settings/config-in-force.ts";
import { Context } from "../settings/context.ts";
import { checkBegin, requestOf } from "./begin.ts";
import { heartbeatOf } from "./heartbeat.ts";
import type { GuestInputs, GuestOptions, GuestOutput, ModelFailure } from "./ports.ts";
import type { GuestSnapshot, ServerView } from "./snapshot.ts";

/**
 * All rules of a guest: its links, runs, ledger, configuration and context, without I/O (docs/kernel.md). A process that starts makes it from
 * `freshBoot`, a machine that is restored from the `snapshot` of another kernel.
 */
export class GuestKernel implements GuestInputs, LinkOwner {
  readonly bounds: Bounds;
  readonly bootId: string;
  readonly #options: GuestOptions;
  readonly #output: GuestOutput;
  readonly #startedAt: number;
  readonly #links = new Set<OwnedLink>();
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
    this.bounds = bounds;
    this.bootId = state.bootId;
    this.#options = options;
    this.#output = output;
    this.#startedAt = state.startedAt;
    this.#wakeAt = state.startedAt;
    this.#server = state.server;
    this.#drainUntil = state.drainUntil;
    this.#runs = new Runs(bounds, this.#runsOutput(), state.runs);
    this.#ledger = new Ledger(bounds, state.ledger, (entries, forgotten) =>
      output.log("warn", "ledger_full", { entries, forgotten }),
    );
    this.#config = new ConfigInForce(bounds, this.#configOutput(), state.config);
    this.#context = new Context(bounds, state.context);
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
    const link = new GuestLink(port, this, now);
    this.#links.add(link);
    this.wakeAt(link.nextWake());
    return link;
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
    this.#tell(true, now);
  }

  drain(now: number): void {
    if (this.draining) return;
    this.#drainUntil = now + this.bounds.drainMs;
    this.#output.log("info", "draining", { in_flight: this.inFlight });
    this.wakeAt(this.#drainUntil);
    this.#tell(true, now);
    this.#checkDrained(now);
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
    for (const link of this.#links) link.tick(now);
    this.#checkDrained(now);
    this.wakeAt(this.#runs.nextWake());
    for (const link of this.#links) this.wakeAt(link.nextWake());
    if (this.#drainUntil !== undefined && !this.#drained) this.wakeAt(this.#drainUntil);
  }

  nextWake(): number | undefined {
    return this.#wakeAt === Infinity ? undefined : this.#wakeAt;
  }

  wakeAt(time: number): void {
    if (time < this.#wakeAt) this.#wakeAt = time;
  }

  admits(token: string): boolean {
    const { token: own } = this.#options;
    return own === undefined || isToken(token, own);
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

  attachOrBegin(message: Message, now: number): OpenedRun {
    const { requestId } = message;
    const attachOnly = message.role === undefined || message.afterSequence > 0 || message.runLife !== "";
    if (requestId === "" && attachOnly)
      throw new Failure("invalid_message", "nothing to run and no request_id");
    const known = this.#runs.find(requestId);
    if (known !== undefined) return attachTo(known, message);
    const entry = requestId === "" ? undefined : this.#ledger.find(requestId);
    const answer = answerForLostRun(message, entry, attachOnly);
    if (answer !== undefined) throw answer;
    return { run: this.#begin(message, now), attached: false, next: 1 };
  }

  cancelRun(requestId: string, reason: string, now: number): boolean {
    const run = this.#runs.find(requestId);
    if (run === undefined || run.ended) return false;
    run.end(cancelledBy(reason), now);
    return true;
  }

  pushConfig(payload: UnknownObject, waiter: ConfigWaiter): void {
    this.#config.push(payload, waiter);
  }

  pushContext(payload: UnknownObject): ConfigAckJson {
    const reason = this.#context.update(payload);
    const ack: ConfigAckJson = { applied: reason === undefined, context_sha256: this.#context.sha256 };
    return reason === undefined ? ack : { ...ack, reason };
  }

  linkGreeted(): void {
    this.#output.log("info", "link_open");
  }

  exchangeEnded(now: number): void {
    this.#checkDrained(now);
  }

  linkClosed(link: OwnedLink, { reason, greeted, dropped }: ClosedLink, now: number): void {
    this.#links.delete(link);
    if (greeted || dropped > 0)
      this.#output.log("info", "link_closed", { code: reason.code, reason: reason.message, dropped });
    this.#checkDrained(now);
  }

  frameFailed(type: string, cause: unknown): void {
    this.#output.fault("frame_failed", cause, { type });
  }

  #begin(message: Message, now: number): Run {
    const config = this.#config.applied;
    const hasRoom = () => this.#runs.hasRoom(now);
    checkBegin(message, { draining: this.draining, config, hasRoom });
    const { ids } = this.#options;
    const { hash } = message;
    const life = ids.life();
    const requestId = message.requestId || ids.request();
    const request = requestOf(message, config, this.#context.texts());
    const run = this.#runs.begin({ requestId, hash, life, request, policy: config.policy }, now);
    this.#output.record(life, this.#ledger.take(life, requestId, hash, now));
    return run;
  }

  /** Tells every host how the guest is, or only those that know another status. */
  #tell(always: boolean, now: number): void {
    for (const link of this.#links) link.tell(always, now);
  }

  #isQuiet(): boolean {
    if (this.inFlight > 0) return false;
    for (const link of this.#links) if (link.busy) return false;
    return true;
  }

  /** Says once that a guest which was told to stop may go: nothing is under way, or its time is up and what was left is cancelled. */
  #checkDrained(now: number): void {
    if (this.#drainUntil === undefined || this.#drained) return;
    if (now < this.#drainUntil && !this.#isQuiet()) return;
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
        this.#tell(false, now);
        this.#checkDrained(now);
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
        this.#tell(true, now);
      },
      onNotApplied: (event, revision, reason) => output.log("warn", event, { revision, reason }),
    };
  }
}
