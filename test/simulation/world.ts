import { contextDigest } from "@valinor/protocol";
import { Clock } from "./engine/clock.ts";
import type { Rest, Settled } from "./engine/facts.ts";
import type { History } from "./engine/history.ts";
import { type Chance, createChance } from "./engine/random.ts";
import { Wire } from "./engine/wire.ts";
import type { Call } from "./models/call.ts";
import { ClientOp } from "./models/client.ts";
import type { HostConnection } from "./models/connection.ts";
import { Host } from "./models/host.ts";
import { isConverged } from "./auditors/config-auditor.ts";
import { Machine } from "./models/machine.ts";
import type { MachineImage } from "./models/machine-image.ts";
import { StoreModel, textOf } from "./models/store.ts";
import type { Makers } from "./makers.ts";
import type { Plan, PlannedOp } from "./plan.ts";

/** Milliseconds that a frame takes, when nothing is wrong. */
export const LATENCY = { least: 0.1, most: 3 };

/** A place for a host's processes: one after the other has its name and a number. */
interface Slot {
  readonly name: string;
  host: Host | undefined;
  starts: number;
}

/** One world: hosts, machines, the store and clients, and the network between them. Faults are done to it from outside. */
export class World {
  readonly clock: Clock;
  readonly history: History;
  readonly store: StoreModel;
  readonly slots: readonly Slot[];
  /** The machine to which an agent's address leads. */
  readonly machines = new Map<string, Machine>();
  /** Machines that are no longer at their agent's address and run on. */
  readonly strays = new Set<Machine>();
  readonly images: MachineImage[] = [];
  readonly calls = new Set<Call>();
  readonly openOps = new Map<string, ClientOp>();
  isEnding = false;
  readonly #plan: Plan;
  readonly #makers: Makers;
  readonly #chance: Chance;
  readonly #machinesMade = new Map<string, number>();
  #ids = 0;

  constructor(plan: Plan, clock: Clock, history: History, makers: Makers) {
    this.clock = clock;
    this.history = history;
    this.#plan = plan;
    this.#makers = makers;
    this.#chance = createChance(plan.seed, "world");
    this.store = new StoreModel(createChance(plan.seed, "store"), history);
    for (let i = 1; i <= plan.agents; i++) {
      const agent = `a${i}`;
      this.store.seed(agent);
      const machine = this.#makeMachine(agent);
      this.machines.set(agent, machine);
      machine.start();
    }
    this.slots = Array.from({ length: plan.hosts }, (_, i) => ({
      name: `h${i + 1}`,
      host: undefined,
      starts: 0,
    }));
    for (const slot of this.slots) this.startHost(slot);
  }

  /** Hosts that are alive. */
  get hosts(): readonly Host[] {
    return this.slots.flatMap(({ host }) => (host === undefined ? [] : [host]));
  }

  /** Machines that exist. */
  get allMachines(): readonly Machine[] {
    return [...this.machines.values(), ...this.strays];
  }

  startHost(slot: Slot): void {
    if (slot.host !== undefined) return;
    const { clock, history, store } = this;
    const { makeLink, makeConvergence, makeChanges } = this.#makers;
    const name = `${slot.name}.${++slot.starts}`;
    const rate = this.#chance.chance(0.3) ? this.#chance.between(0.98, 1.02) : 1;
    const dial = (agent: string, connection: HostConnection, made: (wire: Wire | undefined) => void) =>
      this.#dial(agent, connection, made);
    const { seed } = this.#plan;
    slot.host = new Host(
      { seed, clock, history, store, makeLink, makeConvergence, makeChanges, dial },
      name,
      rate,
    );
  }

  killHost(slot: Slot, silently: boolean): void {
    slot.host?.kill(silently);
    slot.host = undefined;
  }

  /** Puts a copy of a machine at its agent's address. The one that was there is gone, or runs on beside it. */
  copyMachine(image: MachineImage, isFork: boolean, silently: boolean): Machine {
    const before = this.machines.get(image.agent);
    const machine = this.#makeMachine(image.agent, image);
    this.machines.set(image.agent, machine);
    if (before !== undefined && isFork) this.strays.add(before);
    else before?.destroy(silently);
    // Its links are those of the machine that it is a copy of.
    return machine;
  }

  destroyStray(machine: Machine): void {
    if (this.strays.delete(machine)) machine.destroy(false);
  }

  begin(op: PlannedOp): void {
    const { clock, history, calls } = this;
    const begun = new ClientOp(
      {
        seed: this.#plan.seed,
        clock,
        history,
        calls,
        pickHost: (chance) => chance.pick(this.slots).host,
        isEnding: () => this.isEnding,
        onEnd: (name) => void this.openOps.delete(name),
      },
      op,
    );
    this.openOps.set(op.name, begun);
  }

  /** What is to be in force for an agent, and what is in force, in words that can be compared. */
  desiredOf(agent: string): { desired: string; actual: string; mayRefuse: boolean } {
    const stored = this.store.peek(agent);
    const truth = this.machines.get(agent)?.truth;
    const entries = (stored?.contexts ?? []).map((entry) => [entry.key, textOf(entry)] as const);
    const config = stored?.config;
    return {
      desired: `${config?.revision} ${config?.sha256.slice(0, 8)} ${contextDigest(entries).slice(0, 8)}`,
      actual: `${truth?.revision} ${truth?.config.slice(0, 8)} ${truth?.context.slice(0, 8)}`,
      mayRefuse: config?.config["model"] === "bad" || entries.some(([, text]) => text.length > 64),
    };
  }

  /** True if every operation is over, every host shows what is in force everywhere, and nothing is left of anything. */
  isAtRest(): boolean {
    if (this.openOps.size > 0 || this.#left().some(({ left, most }) => left > most)) return false;
    return this.#settled().every((fact) => fact.mayRefuse || isConverged(fact));
  }

  /** Tells the auditors how everything stands, now that it is over. */
  tellRest(): void {
    for (const fact of [...this.#left(), ...this.#settled()]) this.history.record(fact);
  }

  #left(): Rest[] {
    const counts = [
      ...this.hosts.map((host) => ({ who: host.name, whats: host.counts() })),
      ...[...this.machines.values()].map((machine) => ({ who: machine.name, whats: machine.counts() })),
    ];
    return counts.flatMap(({ who, whats }) =>
      Object.entries(whats).map(([what, left]): Rest => {
        const most = what === "links" ? this.slots.length : 0;
        return { kind: "rest", who, what, left, most };
      }),
    );
  }

  #settled(): Settled[] {
    return this.hosts.flatMap(({ name: host, agents }) =>
      [...agents.values()].map(({ id: agent, convergence }): Settled => {
        const state = convergence.state.kind;
        const shown = `${convergence.desiredRevision} ${convergence.observedRevision}`;
        return { kind: "settled", host, agent, state, shown, ...this.desiredOf(agent) };
      }),
    );
  }

  #makeMachine(agent: string, image?: MachineImage): Machine {
    const made = (this.#machinesMade.get(agent) ?? 0) + 1;
    this.#machinesMade.set(agent, made);
    const { clock, history } = this;
    const { makeKernel, makeDisk } = this.#makers;
    const nextId = () => ++this.#ids;
    const parts = { seed: this.#plan.seed, clock, history, makeKernel, makeDisk, nextId };
    return new Machine(parts, agent, `${agent}.m${made}`, image);
  }

  /** Connects a host to whatever machine is at the agent's address then. */
  #dial(agent: string, connection: HostConnection, made: (wire: Wire | undefined) => void): void {
    this.clock.after(this.#chance.between(0.2, 5), () => {
      const machine = this.machines.get(agent);
      // A machine that stands still does not even refuse.
      if (machine === undefined || machine.isFrozen) return;
      if (machine.kernel === undefined) return made(undefined);
      const name = `wire ${++this.#ids}`;
      const chance = createChance(this.#plan.seed, name);
      let guest: ReturnType<Machine["accept"]>;
      const host = () => connection;
      const wire = new Wire(name, this.clock, chance, LATENCY, host, () => guest ?? NOBODY);
      // Before the guest's first frame: the host's end is there.
      made(wire);
      guest = machine.accept(wire);
    });
  }
}

const NOBODY = { onFrame: () => {}, onClosed: () => {} };
