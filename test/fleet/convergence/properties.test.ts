import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EVENTS, events } from "./histories.ts";
import { type Fate, HIGHEST, ModelWorld } from "./model.ts";

const makeWorld = () => new ModelWorld(() => 0.5);

/** The faults end: everything is answered as it should be, and a heartbeat comes every 10 s. */
function settleDown(world: ModelWorld): number {
  world.guest.refusesConfig = false;
  world.guest.refusesContext = false;
  // One that has the highest revision is lost until it starts anew.
  const highest = Math.max(world.guest.inForce.revision, world.kernel.observedRevision);
  if (highest >= HIGHEST) EVENTS.reboot(world, 100);
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
