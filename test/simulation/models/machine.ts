import type { GuestInputs, GuestOutput } from "../../../agent/kernel/ports.ts";
import type { LedgerLine } from "../../../agent/runs/ledger-entries.ts";
import type { ModelRequest } from "../../../agent/runs/model.ts";
import type { ConfigOutcome, WantedConfig } from "../../../agent/settings/config-in-force.ts";
import type { Truth } from "../engine/facts.ts";
import { Alarm, NodeClock } from "../engine/node-clock.ts";
import { type Chance, createChance } from "../engine/random.ts";
import type { Wire } from "../engine/wire.ts";
import { Applier, type OnApplied } from "./applier.ts";
import { DiskModel } from "./disk.ts";
import { optionsOf } from "./guest-kernel.ts";
import type { Applying, MachineImage } from "./machine-image.ts";
import type { MachineParts } from "./machine-parts.ts";
import { MachineLink } from "./machine-link.ts";
import { eventsOf, OpenClawModel, type Piece } from "./openclaw.ts";

/** One machine with a guest and its OpenClaw: the real kernel of the guest, and models of everything around it. */
export class Machine implements GuestOutput {
  readonly name: string;
  readonly agent: string;
  readonly clock: NodeClock;
  readonly openclaw: OpenClawModel;
  readonly disk: DiskModel<LedgerLine>;
  readonly links = new Set<MachineLink>();
  boot = "";
  kernel: GuestInputs | undefined;
  /** Runs for which this machine, or the one that it is a copy of before it was copied, called the model. */
  readonly called: Set<string>;
  readonly #parts: MachineParts;
  readonly #chance: Chance;
  readonly #alarm: Alarm;
  readonly #applier: Applier;
  #backlog: (() => void)[] | undefined; // while it is frozen
  #inForce: MachineImage["inForce"] = { revision: 0, sha256: "" };
  #context = "";
  #boots = 0;
  #process = 0;
  #isGone = false;

  constructor(parts: MachineParts, agent: string, name: string, image?: MachineImage) {
    this.#parts = parts;
    this.agent = agent;
    this.name = name;
    this.#chance = createChance(parts.seed, `machine ${name}`);
    const rate = this.#chance.chance(0.3) ? this.#chance.between(0.98, 1.02) : 1;
    this.clock = new NodeClock(parts.clock, image?.local ?? this.#chance.between(0, 1e6), rate);
    this.#alarm = new Alarm(
      parts.clock,
      this.clock,
      () => this.kernel?.nextWake(),
      () => this.enter((now) => this.kernel?.tick(now)),
    );
    const onPieces = { pieces: (life: string, pieces: readonly Piece[]) => this.#onPieces(life, pieces) };
    const modelParts = { seed: parts.seed, clock: parts.clock, history: parts.history };
    this.openclaw = new OpenClawModel(modelParts, name, onPieces, image?.openclaw);
    const onApplied: OnApplied = (applying, outcome) => this.#applied(applying, outcome);
    this.#applier = new Applier(parts.clock, this.#chance, this.openclaw, onApplied);
    const onWritten = (life: string, ok: boolean) =>
      this.enter((now) => this.kernel?.recorded(life, ok, now));
    this.disk = parts.makeDisk(parts.clock, this.#chance, onWritten, image?.disk);
    this.called = new Set(image?.called);
    if (image === undefined) return;
    this.boot = image.boot;
    this.#boots = image.boots;
    this.#inForce = image.inForce;
    this.#context = image.context;
    parts.history.record({ kind: "in force", ...this.truth });
    if (image.kernel === undefined) return;
    this.kernel = parts.makeKernel(
      this,
      optionsOf(this.agent, this.name, this.boot),
      { snapshot: structuredClone(image.kernel) },
      this.clock.now(),
    );
    if (image.applying !== undefined) this.applyConfig(image.applying.ticket, image.applying.config);
    this.#alarm.look();
  }

  get isFrozen(): boolean {
    return this.#backlog !== undefined;
  }

  /** What is in force here. */
  get truth(): Truth {
    const { revision, sha256 } = this.#inForce;
    return { machine: this.name, boot: this.boot, revision, config: sha256, context: this.#context };
  }

  /** What is under way: for the auditors, at rest. */
  counts(): Readonly<Record<string, number>> {
    const { runs = [], config } = this.kernel?.snapshot(this.clock.now()) ?? {};
    return {
      links: this.links.size,
      "links with exchanges": [...this.links].filter(({ isBusy }) => isBusy).length,
      runs: runs.length,
      "configurations that wait": config?.turns.length ?? 0,
      "calls of the model": this.openclaw.size,
      "lines being written": this.disk.image().writing.length,
    };
  }

  /** Starts the guest's process, which reads its ledger. */
  start(): void {
    if (this.kernel !== undefined || this.#isGone) return;
    this.boot = `${this.name}.b${++this.#boots}`;
    this.#inForce = { revision: 0, sha256: "" };
    this.kernel = this.#parts.makeKernel(
      this,
      optionsOf(this.agent, this.name, this.boot),
      { bootId: this.boot, taken: this.disk.lines },
      this.clock.now(),
    );
    this.enter((now) => this.#tellServer(now));
  }

  /** The guest's process is told to stop: it takes nothing new, and ends once nothing is under way. */
  stop(): void {
    this.enter((now) => this.kernel?.drain(now));
  }

  /** The guest's process dies. `silently`: its machine loses power, and no host is told. */
  kill(silently: boolean): void {
    this.#process++;
    this.kernel = undefined;
    this.#applier.drop();
    this.#backlog = undefined;
    this.#alarm.stop();
    this.openclaw.dropAll();
    this.disk.crash();
    this.#loseLinks(silently);
  }

  /** The machine is gone for good: another one took its place. */
  destroy(silently: boolean): void {
    this.kill(silently);
    this.disk.drop();
    this.#isGone = true;
  }

  /** A copy of the machine as it is now. */
  image(): MachineImage {
    const local = this.clock.now();
    return {
      agent: this.agent,
      kernel: this.kernel === undefined ? undefined : structuredClone(this.kernel.snapshot(local)),
      local,
      boot: this.boot,
      boots: this.#boots,
      inForce: this.#inForce,
      context: this.#context,
      applying: this.#applier.applying,
      called: new Set(this.called),
      disk: this.disk.image(),
      openclaw: this.openclaw.image(),
    };
  }

  /** Nothing runs here for a while. */
  freeze(): void {
    this.#backlog ??= [];
  }

  /** Goes on; its clock has gone on meanwhile. */
  thaw(): void {
    const backlog = this.#backlog ?? [];
    this.#backlog = undefined;
    for (const what of backlog) what();
    this.#alarm.reset();
  }

  /** Its clock jumps forward. */
  stepClock(ms: number, rate: number): void {
    this.clock.set(ms, rate);
    this.#alarm.reset();
  }

  killOpenClaw(): void {
    this.openclaw.kill();
    this.enter((now) => this.#tellServer(now));
  }

  startOpenClaw(): void {
    if (this.openclaw.state === "ready") return;
    this.openclaw.state = "ready";
    this.enter((now) => this.#tellServer(now));
  }

  /** A host connects. False if nobody listens. */
  accept(wire: Wire): MachineLink | undefined {
    if (this.kernel === undefined) return undefined;
    const link = new MachineLink(this, wire, this.#parts.nextId(), this.#parts.history);
    this.links.add(link);
    this.enter((now) => link.open(this.kernel, now));
    return link;
  }

  /** Has the kernel take an input, unless the machine is frozen or the process that it was for has died. */
  enter(input: (now: number) => void): void {
    const process = this.#process;
    const run = () => {
      if (process !== this.#process || this.kernel === undefined) return;
      input(this.clock.now());
      this.#alarm.look();
    };
    if (this.#backlog !== undefined) this.#backlog.push(run);
    else run();
  }

  /** The machine's own context, as it tells it. */
  noteContext(digest: string): void {
    this.#context = digest;
  }

  record(life: string, line: LedgerLine): void {
    this.disk.write(life, line);
  }

  callModel(life: string, request: ModelRequest): void {
    const run = request.content.split("!")[0] ?? "";
    const call = this.openclaw.call(life, run);
    const again = this.called.has(run);
    this.called.add(run);
    const { agent, name: machine } = this;
    this.#parts.history.record({ kind: "called", agent, machine, run, call, again });
  }

  pauseModel(life: string): void {
    this.#parts.history.count("guest: a model was paused, its journal being full");
    this.openclaw.pause(life);
  }

  resumeModel(life: string): void {
    this.openclaw.resume(life);
  }

  endModel(life: string): void {
    this.openclaw.drop(life);
  }

  applyConfig(ticket: number, config: WantedConfig): void {
    this.#applier.apply(ticket, config);
  }

  drained(): void {
    const { clock, history } = this.#parts;
    const process = this.#process;
    history.count("guest: had nothing under way any more when it was told to stop");
    // What was sent leaves before the process does; then it is started again.
    clock.after(this.#chance.between(1, 50), () => {
      if (process !== this.#process) return;
      this.kill(false);
      clock.after(this.#chance.between(100, 5_000), () => this.start());
    });
  }

  log(_level: string, event: string): void {
    this.#parts.history.count(`guest log: ${event}`);
  }

  fault(event: string, cause: unknown): void {
    this.#parts.history.fail("e: no faults of a program", `guest ${this.name}: ${event}: ${String(cause)}`);
  }

  #applied({ ticket, config: { revision, sha256 } }: Applying, outcome: ConfigOutcome): void {
    if (outcome.kind === "applied") {
      this.#inForce = { revision, sha256 };
      this.#parts.history.record({ kind: "in force", ...this.truth });
    }
    this.enter((now) => this.kernel?.configApplied(ticket, outcome, now));
  }

  #onPieces(life: string, pieces: readonly Piece[]): void {
    const { events, failure } = eventsOf(pieces);
    this.enter((now) => {
      this.kernel?.modelEvents(life, events, now);
      if (failure !== undefined) this.kernel?.modelFailed(life, failure, now);
    });
  }

  #tellServer(now: number): void {
    const { state } = this.openclaw;
    this.kernel?.openclawChanged({ state, kind: "openclaw", kindReason: "it says so" }, now);
  }

  #loseLinks(silently: boolean): void {
    for (const link of this.links) {
      this.links.delete(link);
      if (silently) link.wire.loseGuest();
      else link.wire.closeByGuest("the agent is gone");
    }
  }
}
