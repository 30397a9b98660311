import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { statusOf } from "../../src/core/registry/status.ts";
import { openStore } from "../../src/store/open.ts";
import type { Store } from "../../src/store/store.ts";
import { contextDigest } from "../../protocol/wire/digest.ts";
import { startWorld, type World } from "../core/world.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { until } from "../link/fake-guest.ts";
import { launchPostgres } from "../helpers/postgres-server.ts";
import { fallen, falseClaims, pushedAgain, quantile } from "./checks.ts";
import { createDriver } from "./driver.ts";
import { clock, REFUSED_REASON } from "./guest.ts";
import type { GuestPlan, GuestReport, InForce } from "./messages.ts";
import { createRandom } from "../helpers/random.ts";
import { type RealAgent, startRealAgent } from "./real-agents.ts";
import { type Guests, startGuests } from "./thread.ts";
import { createWitness, keyOf, type Witness } from "./witness.ts";

const ON_POSTGRES = process.env["VALINOR_TEST_STORE"] === "postgres";
const GUESTS = Number(process.env["VALINOR_TEST_GUESTS"] ?? 1_000);
const SEED = Number(process.env["VALINOR_TEST_SEED"] ?? Date.now() % 1_000_000);
const REAL_AGENTS = 4;
/** Pushes to each; the last one comes to all at once, and the faults end when it is stored. */
const PUSHES = 20;
/** Everything has converged so long after the faults' end, milliseconds. */
const CONVERGED_MS = 10_000;

const planOf = (index: number, folder: string): GuestPlan => ({
  id: `guest-${index}`,
  path: join(folder, `${index}.sock`),
  protocol: index % 50 === 7 ? 1 : 2,
  flaps: index % 10 < 3,
  revision: index % 100 === 15 ? 40 : 0,
});

async function openDiskStore(folder: string): Promise<Store> {
  if (!ON_POSTGRES) return openStore({ kind: "sqlite", path: join(folder, "valinor.db") });
  const server = await launchPostgres();
  afterFile(async () => server.remove());
  return openStore({ kind: "postgres", url: server.url(await server.createDatabase()) });
}

/** True if the last configuration of all is what the agent is to have. */
function isLast(witness: Witness, id: string): boolean {
  return witness.current(id)?.config["n"] === PUSHES;
}

/** True if the agent has what it is to have, and the control plane says so; or if it refused just that. */
async function isConverged(world: World, witness: Witness, id: string, has: InForce): Promise<boolean> {
  const agent = world.fleet.find(keyOf(id));
  const wanted = witness.current(id);
  if (agent === undefined || wanted === undefined || !isLast(witness, id)) return false;
  const { configState, configReason, protocol } = statusOf(agent);
  const { revision, sha256 } = wanted;
  const isRefused = configReason.endsWith(REFUSED_REASON) && has.revision < revision;
  const isApplied = has.sha256 === sha256 && (protocol === 1 || has.revision === revision);
  const isAsSaid =
    configState === "refused"
      ? isRefused
      : isApplied && configState === (protocol === 1 ? "assumed" : "applied");
  if (!isAsSaid || protocol === 1) return isAsSaid;
  const contexts = await world.store.contexts(keyOf(id));
  const texts = contexts.map(({ key, payload }) => [key, payload["context"] as string] as const);
  return has.contextSha256 === contextDigest(texts);
}

/** What the real agents did, from their logs. */
function reportsOf(witness: Witness, real: ReadonlyMap<string, RealAgent>): [string, GuestReport][] {
  return [...real].map(([id, agent]) => {
    const applied = [...agent.applied].map(([revision, time]) => {
      return { revision, time, sha256: witness.digestOf(id, revision) };
    });
    const boot = { bootId: agent.bootId, revision: 0, sha256: "", applied };
    return [id, { boots: [boot], received: [], cuts: agent.cuts }];
  });
}

/** Milliseconds from now until each agent had converged; those that have not in time are missing. */
async function convergenceTimes(isIn: (id: string, has: InForce) => Promise<boolean>, all: AllGuests) {
  const began = clock();
  const times = new Map<string, number>();
  const look = async (id: string, has: InForce | undefined, at: number) => {
    if (!times.has(id) && has !== undefined && (await isIn(id, has))) times.set(id, at);
  };
  while (times.size < all.plans.length + all.real.size && clock() - began < CONVERGED_MS) {
    const inForce = await all.guests.inForce();
    const at = clock() - began;
    for (const [i, { id }] of all.plans.entries()) await look(id, inForce[i], at);
    for (const [id, agent] of all.real) if (!times.has(id)) await look(id, await agent.inForce(), at);
    await sleep(20);
  }
  return times;
}

interface AllGuests {
  readonly guests: Guests;
  readonly plans: readonly GuestPlan[];
  readonly real: ReadonlyMap<string, RealAgent>;
}

it(`${GUESTS} guests that flap, refuse and answer late all come to what they are to have`, async () => {
  const folder = mkdtempSync(join(tmpdir(), "valinor-convergence-"));
  afterFile(async () => rmSync(folder, { recursive: true, force: true }));
  const plans = Array.from({ length: GUESTS }, (_, index) => planOf(index, folder));
  const guests = await startGuests(SEED, plans);
  afterFile(() => guests.close());
  const real = new Map<string, RealAgent>();
  for (let i = 0; i < REAL_AGENTS; i++) real.set(`agent-${i}`, await startRealAgent(createRandom(SEED - i)));
  const ids = [...plans.map(({ id }) => id), ...real.keys()];
  const witness = createWitness(ids);
  const store = await openDiskStore(folder);
  const world = await startWorld({ store: witness.watch(store), configMs: 2_000 });
  for (const { id, path } of plans) await world.add(id, `unix://${path}`);
  for (const [id, { address }] of real) await world.add(id, address);

  const began = clock();
  const driver = createDriver(world, witness);
  const sampling = setInterval(() => witness.sample(world), 100);
  await Promise.all(ids.map((id, i) => driver.drive(id, PUSHES - 1, createRandom(SEED + GUESTS + i))));
  const lastPushes = Promise.all(ids.map((id) => driver.pushConfig(id, PUSHES)));
  await until("the last push is stored", () => ids.every((id) => isLast(witness, id)), 60_000);
  for (const agent of real.values()) agent.endFaults();
  await guests.endFaults();
  const ended = clock();
  const times = await convergenceTimes((id, has) => isConverged(world, witness, id, has), {
    guests,
    plans,
    real,
  });
  await lastPushes;
  clearInterval(sampling);

  const simulated = (await guests.report()).map((one, i): [string, GuestReport] => [plans[i]?.id ?? "", one]);
  const reports = new Map([...simulated, ...reportsOf(witness, real)]);
  const ofProtocol1 = new Set(plans.filter(({ protocol }) => protocol === 1).map(({ id }) => id));
  const claims = witness.claims.filter(({ agent }) => !ofProtocol1.has(agent));
  const sum = (count: (report: GuestReport) => number) =>
    [...reports.values()].reduce((total, report) => total + count(report), 0);
  const cuts = sum((report) => report.cuts);
  const seconds = (share: number) => (quantile([...times.values()], share) / 1_000).toFixed(2);
  process.stdout.write(
    `convergence: seed ${SEED}, ${ON_POSTGRES ? "postgres" : "sqlite"}, ${GUESTS} guests and ${REAL_AGENTS} agents, ` +
      `${driver.configs} configurations and ${driver.contexts} context entries pushed within ` +
      `${((ended - began) / 1_000).toFixed(0)} s, ${cuts} links cut, ${sum(({ boots }) => boots.length)} boots, ` +
      `${witness.refusals.length} refusals, ${claims.length} claims checked; ` +
      `converged after p50 ${seconds(0.5)} s, p99 ${seconds(0.99)} s, max ${seconds(1)} s\n`,
  );

  const late = ids.filter((id) => !times.has(id));
  expect(late.map((id) => [id, world.fleet.find(keyOf(id))?.convergence.state])).toEqual([]);
  expect(witness.fell).toEqual([]);
  expect(fallen(reports)).toEqual([]);
  expect(pushedAgain(witness.refusals, reports)).toEqual([]);
  expect(falseClaims(claims, reports)).toEqual([]);
  expect(driver.configs + driver.contexts).toBe(ids.length * PUSHES);
  for (const amount of [cuts, witness.refusals.length, claims.length])
    expect(amount).toBeGreaterThan(GUESTS / 10);

  // What was refused is pushed once it changes.
  const stateOf = (id: string) => world.fleet.find(keyOf(id))?.convergence.state.kind;
  const refused = ids.filter((id) => stateOf(id) === "refused");
  await Promise.all(refused.map((id) => driver.pushConfig(id, PUSHES + 1)));
  expect(refused.map(stateOf)).toEqual(refused.map(() => "applied"));
});
