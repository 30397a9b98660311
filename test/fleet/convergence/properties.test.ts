import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Fate, ModelWorld } from "./model.ts";

/** What may happen to an agent, by name. `n` is from 0 to 99. */
const EVENTS = {
  connect: (world) => !world.isLinked && world.connect(),
  disconnect: (world, n) => world.disconnect(n % 2 === 0),
  push: (world) => world.push(undefined, ""),
  pushContext: (world, n) => world.push(["a", "b", ""][n % 3], n % 4 === 0 ? "" : `text ${n}`),
  answer: (world) => world.answer("done"),
  answerAll(world) {
    for (let i = 0; i < 20 && world.isAsked; i++) world.answer("done");
  },
  answerBadly(world, n) {
    const fate: Fate[] = ["failed", "done unheard", "not now"];
    world.answer(fate[n % 3] ?? "failed");
  },
  sleep: (world) => world.sleep(),
  wait: (world, n) => world.sleep(n * 100),
  heartbeat: (world) => world.heartbeat(),
  /** The machine is put back to a snapshot: less is in force, and it does not say so yet. */
  restore(world, n) {
    world.guest.inForce = n % 2 === 0 ? { revision: 0, sha256: "" } : { ...world.guest.inForce };
    world.guest.texts.clear();
    world.isGuestHidden = true;
  },
  /** It has what the store does not know. */
  alien(world, n) {
    world.guest.inForce = { revision: world.store.revision + (n % 3), sha256: `alien ${n}` };
    if (n % 2 === 0) world.guest.texts.set("alien", "x");
    world.isGuestHidden = true;
  },
  /** A heartbeat that contradicts what the guest said before. */
  contradict(world, n) {
    world.heartbeat({ configRevision: n % 5, configSha256: `lie ${n}`, contextSha256: `lie ${n}` });
    world.isGuestHidden = true;
  },
  reboot(world, n) {
    if (world.isLinked) world.disconnect(false);
    world.guest.bootId = `boot ${n}`;
    world.guest.inForce = { revision: 0, sha256: "" };
    world.guest.texts.clear();
  },
  refuseConfig: (world, n) => void (world.guest.refusesConfig = n % 2 === 0),
  refuseContext: (world, n) => void (world.guest.refusesContext = n % 2 === 0),
  /** Another process stores something. */
  elsewhere(world, n) {
    if (n % 2 === 0) world.store.put(`elsewhere ${n}`);
    else world.store.putContext("e", n % 4 === 1 ? "" : `elsewhere ${n}`);
    world.hide();
    if (n > 30) world.kernel.storeChanged(n > 60, world.now);
  },
  recreate(world) {
    world.store.revision = 1;
    world.store.content = `another life at ${world.now}`;
    world.store.contexts.clear();
    world.kernel.agentRecreated(world.now);
  },
} satisfies Record<string, (world: ModelWorld, n: number) => unknown>;

type EventName = keyof typeof EVENTS;

/** How often each comes, among all: most of the time things work, so that there is something to break. */
const WEIGHTS: Readonly<Record<EventName, number>> = {
  answer: 20,
  answerAll: 20,
  sleep: 12,
  wait: 4,
  heartbeat: 10,
  push: 5,
  pushContext: 8,
  connect: 8,
  answerBadly: 5,
  disconnect: 2,
  reboot: 2,
  restore: 2,
  alien: 2,
  contradict: 2,
  refuseConfig: 2,
  refuseContext: 2,
  elsewhere: 3,
  recreate: 1,
};

const event = fc.oneof(
  ...(Object.keys(EVENTS) as EventName[]).map((name) => ({
    weight: WEIGHTS[name],
    arbitrary: fc.tuple(fc.constant(name), fc.integer({ min: 0, max: 99 })),
  })),
);
const events = fc.array(event, { maxLength: 80, size: "max" });

const makeWorld = () => new ModelWorld(() => 0.5);

/** The faults end: everything is answered as it should be, and a heartbeat comes every 10 s. */
function settleDown(world: ModelWorld): number {
  world.guest.refusesConfig = false;
  world.guest.refusesContext = false;
  if (!world.isLinked) world.connect();
  // What was refused is not pushed again until it changes.
  world.push(undefined, "");
  for (const key of ["a", "b", "e", ""]) world.push(key, "last");
  world.kernel.storeChanged(true, world.now);
  const began = world.now;
  let beatAt = world.now;
  for (let steps = 0; steps < 2_000; steps++) {
    if (world.isAsked) world.answer("done");
    else if (world.now >= beatAt) {
      world.heartbeat();
      beatAt = world.now + 10_000;
    } else if (world.kernel.state.kind === "applied" && world.kernel.nextWake === undefined) break;
    else world.sleep(Math.max(0, Math.min(world.kernel.nextWake ?? beatAt, beatAt) - world.now));
  }
  world.answer("done");
  return world.now - began;
}

describe("convergence", () => {
  it("brings the guest from every state to what it is to have once the faults end, and answers everybody", () => {
    fc.assert(
      fc.property(events, (history) => {
        const world = makeWorld();
        for (const [name, n] of history) EVENTS[name](world, n);
        const took = settleDown(world);
        expect(world.kernel.state).toEqual({ kind: "applied" });
        expect(world.difference()).toBeUndefined();
        expect(world.waiting).toEqual(new Set());
        // A guest that came back with alien revisions often waits for raises.
        expect(took).toBeLessThan(15 * 60_000);
      }),
      { numRuns: 600 },
    );
  });

  it("never says applied of what is not in force, as far as it can know", () => {
    let claims = 0;
    /** What is wrong with a claim that the configuration is applied; undefined if none is made, or nothing is. */
    const fault = (world: ModelWorld) => {
      if (world.kernel.state.kind !== "applied" || world.isGuestHidden || world.isStoreHidden)
        return undefined;
      claims++;
      return world.difference();
    };
    fc.assert(
      fc.property(events, (history) => {
        const world = makeWorld();
        const faults = history.map(([name, n]) => {
          EVENTS[name](world, n);
          return fault(world);
        });
        expect(faults.filter((one) => one !== undefined)).toEqual([]);
      }),
      { numRuns: 600 },
    );
    // A workload under which nothing is ever applied shows nothing.
    expect(claims).toBeGreaterThan(500);
  });

  it("never lets what is observed fall while the boot stays", () => {
    fc.assert(
      fc.property(events, (history) => {
        const world = makeWorld();
        const seen = history.map(([name, n]) => {
          EVENTS[name](world, n);
          return { boot: world.isLinked ? world.guest.bootId : "", revision: world.kernel.observedRevision };
        });
        const fell = seen.filter(({ boot, revision }, i) => {
          const before = seen[i - 1];
          return boot !== "" && boot === before?.boot && revision < before.revision;
        });
        expect(fell).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it("asks for nothing more once it is closed, and has told everybody", () => {
    fc.assert(
      fc.property(events, events, (before, after) => {
        const world = makeWorld();
        for (const [name, n] of before) EVENTS[name](world, n);
        world.kernel.close();
        expect(world.waiting).toEqual(new Set());
        const { requests } = world;
        for (const [name, n] of after) EVENTS[name](world, n);
        expect(world.requests).toBe(requests);
        expect(world.waiting).toEqual(new Set());
        expect(world.kernel.nextWake).toBeUndefined();
      }),
      { numRuns: 200 },
    );
  });

  it("never repeats anything in a tight loop, whatever the guest answers", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom<Fate>("failed", "not now", "done unheard"), { minLength: 1 }),
        (fates) => {
          const world = new ModelWorld(() => 0.99);
          world.store.putContext("a", "A");
          world.connect();
          world.answer("done");
          const began = world.requests;
          const end = world.now + 60_000;
          for (let i = 0; world.now < end; i++) {
            if (world.isAsked) world.answer(fates[i % fates.length] ?? "failed");
            else world.sleep();
          }
          // Two pushes a round, and the pauses grow to 5 s.
          expect(world.requests - began).toBeLessThan(60);
        },
      ),
      { numRuns: 50 },
    );
  });
});
