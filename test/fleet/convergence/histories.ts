import fc from "fast-check";
import { type Fate, HIGHEST, type ModelWorld } from "./model.ts";

/** What may happen to an agent, by name. `n` is from 0 to 99. */
export const EVENTS = {
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
    const revision = n % 10 === 9 ? HIGHEST : world.store.revision + (n % 3);
    world.guest.inForce = { revision, sha256: `alien ${n}` };
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
/** What happened to an agent, one after the other: at most 80. */
export const events = fc.array(event, { maxLength: 80, size: "max" });
