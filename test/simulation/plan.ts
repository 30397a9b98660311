import { type Chance, createChance } from "./engine/random.ts";

/** What clients do. */
export type OpKind =
  | "send"
  | "stream"
  | "attach"
  | "cancel"
  | "config"
  | "context"
  | "restart"
  | "recreate"
  | "watch";

/** Something that a client does at a time. */
export interface PlannedOp {
  readonly name: string;
  readonly atMs: number;
  readonly kind: OpKind;
  readonly agent: string;
  /** Name of the run, for what is about one: of a new one, or of one that an operation before this one named. */
  readonly run: string;
  /** Decides how it is done: how slowly the client reads, when it leaves, what it pushes. */
  readonly mood: number;
}

/** What goes wrong. */
export const faultKinds = [
  "link cut",
  "link stalled",
  "link half-open",
  "link delayed",
  "host killed",
  "host lost",
  "host clock stepped",
  "guest killed",
  "guest lost",
  "guest told to stop",
  "guest frozen",
  "guest clock stepped",
  "guest snapshotted",
  "guest restored",
  "guest forked",
  "guest's disk slow",
  "guest's disk full",
  "OpenClaw killed",
  "OpenClaw stalled",
  "heartbeat contradicts",
  "store crashed",
  "store slow",
  "store restored",
  "client cut",
  "client stalled",
] as const;

/** A kind of fault. */
export type FaultKind = (typeof faultKinds)[number];

/** A fault, and how long it lasts. */
export interface PlannedFault {
  readonly atMs: number;
  readonly kind: FaultKind;
  /** Picks whom it hits among those that there are then. */
  readonly target: number;
  readonly forMs: number;
}

/** One world: everything that is to happen in it but for what the world itself decides, and that the seed decides too. */
export interface Plan {
  readonly seed: number;
  readonly hosts: number;
  readonly agents: number;
  readonly ops: readonly PlannedOp[];
  readonly faults: readonly PlannedFault[];
  /** When faults and new operations are over. */
  readonly endMs: number;
}

/** Steps that one operation and what goes with it take, about. */
const STEPS_OF_OP = 45;

/** Makes the plan of a seed; the world will take about so many steps. */
export function planOf(seed: number, steps: number): Plan {
  const chance = createChance(seed, "plan");
  const hosts = chance.count(1, 3);
  const agents = chance.count(1, 3);
  const count = Math.max(4, Math.round(steps / STEPS_OF_OP));
  const endMs = Math.round(count * chance.between(150, 700));
  const ops = planOps(chance, count, agents, endMs);
  // Some worlds are calm: what is wrong without any fault is to be found as well.
  const often = chance.weighed({ 0: 1, 0.05: 4, 0.15: 6, 0.4: 3 });
  const faults = planFaults(chance, Math.round(count * Number(often)), endMs);
  return { seed, hosts, agents, ops, faults, endMs };
}

function planOps(chance: Chance, count: number, agents: number, endMs: number): PlannedOp[] {
  const runs: { agent: string; run: string }[] = [];
  const times = Array.from({ length: count }, () => chance.between(0, endMs)).toSorted((a, b) => a - b);
  return times.map((time, index) => {
    const atMs = Math.round(time * 10) / 10;
    const kind: OpKind = chance.weighed({
      send: 20,
      stream: 40,
      attach: 8,
      cancel: 5,
      config: 10,
      context: 8,
      restart: 0.7,
      recreate: 0.7,
      watch: 2,
    });
    const isOld = runs.length > 0 && (kind === "attach" || kind === "cancel" || chance.chance(0.25));
    // Mostly a late one: those are still under way.
    const known = runs[Math.max(0, runs.length - 1 - chance.below(chance.chance(0.8) ? 4 : 40))];
    const fresh = { agent: `a${chance.count(1, agents)}`, run: `r${index}` };
    const { agent, run } = isOld && known !== undefined ? known : fresh;
    if (kind === "send" || kind === "stream") runs.push({ agent, run });
    return { name: `o${index}`, atMs, kind, agent, run, mood: chance.below(2 ** 30) };
  });
}

function planFaults(chance: Chance, count: number, endMs: number): PlannedFault[] {
  // Each world has some kinds more often than others, so that rare ones meet each other too.
  const weights = Object.fromEntries(faultKinds.map((kind) => [kind, weightOf(kind) * chance.next() ** 2]));
  const times = Array.from({ length: count }, () => chance.between(0, endMs)).toSorted((a, b) => a - b);
  return times.map((time) => ({
    atMs: Math.round(time * 10) / 10,
    kind: chance.weighed(weights as Record<FaultKind, number>),
    target: chance.below(2 ** 30),
    forMs: Math.round(chance.chance(0.7) ? chance.between(1, 4_000) : chance.between(4_000, 70_000)),
  }));
}

function weightOf(kind: FaultKind): number {
  switch (kind) {
    case "link cut":
    case "guest snapshotted":
      return 4;
    case "guest restored":
    case "guest killed":
    case "host killed":
    case "client cut":
      return 2;
    case "store restored":
      return 0.3;
    default:
      return 1;
  }
}
