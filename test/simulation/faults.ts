import { createChance } from "./engine/random.ts";
import type { Wire } from "./engine/wire.ts";
import type { PlannedFault } from "./plan.ts";
import { LATENCY, type World } from "./world.ts";

/** A guest's process or a host's is started again within this time: what is away for longer only waits. */
const MOST_AWAY_MS = 15_000;
/** Images of machines that are kept. */
const MOST_IMAGES = 6;
/** Machines that run on beside the one that has their address. */
const MOST_STRAYS = 3;

/** Does a fault to a world, and arranges its end. */
export function strike(world: World, fault: PlannedFault): void {
  const { clock, history } = world;
  const chance = createChance(fault.target, fault.kind);
  const machine = chance.pick([...world.machines.values()]);
  const forMs = Math.min(fault.forMs, MOST_AWAY_MS);
  const later = (run: () => void, ms = forMs) => void clock.after(ms, run);
  const done = (target: string) => {
    history.count(`fault: ${fault.kind}`);
    history.record({ kind: "fault", name: fault.kind, target });
  };

  switch (fault.kind) {
    case "link cut":
    case "link stalled":
    case "link half-open":
    case "link delayed": {
      const wires = world.allMachines.flatMap(({ links }) => [...links].map(({ wire }) => wire));
      if (wires.length === 0) return;
      const wire = chance.pick(wires);
      done(wire.name);
      return strikeWire(world, fault, wire);
    }
    case "host killed":
    case "host lost": {
      const slot = chance.pick(world.slots);
      if (slot.host === undefined) return;
      done(slot.host.name);
      world.killHost(slot, fault.kind === "host lost");
      return later(() => world.startHost(slot));
    }
    case "host clock stepped": {
      const { host } = chance.pick(world.slots);
      if (host === undefined) return;
      done(host.name);
      return host.stepClock(fault.forMs, chance.between(0.9, 1.1));
    }
    case "guest killed":
    case "guest lost":
      if (machine.kernel === undefined) return;
      done(machine.name);
      machine.kill(fault.kind === "guest lost");
      return later(() => machine.start());
    case "guest told to stop":
      if (machine.kernel === undefined || machine.isFrozen) return;
      done(machine.name);
      return machine.stop();
    case "guest frozen":
      if (machine.isFrozen) return;
      done(machine.name);
      machine.freeze();
      return later(() => machine.thaw(), fault.forMs);
    case "guest clock stepped":
      done(machine.name);
      return machine.stepClock(fault.forMs, chance.between(0.9, 1.1));
    case "guest snapshotted":
      if (machine.isFrozen) return;
      done(machine.name);
      world.images.push(machine.image());
      if (world.images.length > MOST_IMAGES) world.images.splice(chance.below(MOST_IMAGES), 1);
      return;
    case "guest restored": {
      if (world.images.length === 0) return;
      const image = chance.pick(world.images);
      const copy = world.copyMachine(image, false, chance.chance(0.3));
      done(copy.name);
      return later(() => copy.start());
    }
    case "guest forked": {
      if (machine.isFrozen || world.strays.size >= MOST_STRAYS) return;
      const copy = world.copyMachine(machine.image(), true, false);
      done(copy.name);
      return later(() => world.destroyStray(machine), fault.forMs);
    }
    case "guest's disk slow":
      done(machine.name);
      machine.disk.slow(chance.between(20, 3_000));
      return later(() => machine.disk.slow(1));
    case "guest's disk full":
      done(machine.name);
      machine.disk.full(true);
      return later(() => machine.disk.full(false));
    case "OpenClaw killed":
      done(machine.name);
      machine.killOpenClaw();
      return later(() => machine.startOpenClaw());
    case "OpenClaw stalled":
      done(machine.name);
      return machine.openclaw.stall(fault.forMs);
    case "heartbeat contradicts": {
      const links = [...machine.links];
      if (links.length === 0) return;
      done(machine.name);
      return chance.pick(links).contradict(chance.chance(0.5));
    }
    case "store crashed":
      done("store");
      world.store.crash();
      return later(() => world.store.start());
    case "store slow":
      done("store");
      world.store.slow(chance.between(10, 2_000));
      return later(() => world.store.slow(1));
    case "store restored":
      return restoreStore(world, forMs, () => done("store"));
    case "client cut":
    case "client stalled": {
      const calls = [...world.calls].filter(({ end }) => end === undefined);
      if (calls.length === 0) return;
      const call = chance.pick(calls);
      done("a client");
      return fault.kind === "client cut" ? call.cut() : call.stall(fault.forMs);
    }
  }
}

function strikeWire({ clock }: World, fault: PlannedFault, wire: Wire): void {
  const chance = createChance(fault.target, "wire");
  switch (fault.kind) {
    case "link cut":
      return wire.cut();
    case "link stalled":
      return wire.stall(fault.forMs);
    case "link half-open": {
      const way = chance.below(3);
      return wire.halfOpen(way !== 1, way !== 2);
    }
    default: {
      const least = chance.between(5, 400);
      wire.delay({ least, most: least * 2 });
      return void clock.after(fault.forMs, () => wire.delay(LATENCY));
    }
  }
}

/** An operator stops every host, puts a backup of the store in its place, and starts them again. */
function restoreStore(world: World, forMs: number, done: () => void): void {
  const backup = world.store.backup();
  // What was stored between now and then is lost.
  world.clock.after(forMs, () => {
    if (world.isEnding) return;
    done();
    for (const slot of world.slots) world.killHost(slot, false);
    world.store.restore(backup);
    world.clock.after(100, () => {
      for (const slot of world.slots) world.startHost(slot);
    });
  });
}

/** Ends every fault that lasts. */
export function healAll(world: World): void {
  world.store.start();
  world.store.slow(1);
  world.store.runAll();
  for (const machine of world.strays) world.destroyStray(machine);
  for (const machine of world.machines.values()) {
    if (machine.isFrozen) machine.thaw();
    machine.disk.slow(1);
    machine.disk.full(false);
    machine.openclaw.stall(0);
    machine.start();
    machine.startOpenClaw();
  }
  for (const slot of world.slots) world.startHost(slot);
}
