import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { createValinorClient, type ValinorClient } from "../../clients/ts/src/index.ts";
import { createRandom } from "../convergence/random.ts";
import { missingPostgres, startPostgres } from "../helpers/postgres.ts";
import { until } from "../helpers/until.ts";
import { databasePart, type Part, startAgentPart, startModelPart, startServePart } from "./programs.ts";
import { type Ending, makeSend, type Send, sendToEnd } from "./sends.ts";
import { createToxics, startToxicProxy, type ToxicKind, type ToxicProxy } from "./toxics.ts";

const SENDS = Number(process.env["VALINOR_FAULTS_SENDS"] ?? 2_000);
const ORDERS = Number(process.env["VALINOR_FAULTS_ORDERS"] ?? 4);
const SEED = Number(process.env["VALINOR_TEST_SEED"] ?? Date.now() % 1_000_000);
/** Messages under way at once, over all agents. */
const SENDERS = 48;

const missing = missingPostgres();
const every: readonly ToxicKind[] = ["latency", "bandwidth", "slice", "reset", "freeze", "limit"];

/** Control plane on PostgreSQL, two agents and the fake model, with a proxy on each leg. */
async function startWorld() {
  const random = createRandom(SEED);
  const model = await startModelPart();
  const toModel = await startToxicProxy(model.port, random);
  const agents = await Promise.all(["a1", "a2"].map((id) => startAgentPart(id, toModel.port)));
  const toAgents = await Promise.all(agents.map(({ port }) => startToxicProxy(port, random)));
  const postgres = await startPostgres();
  const database = await databasePart(postgres);
  const addresses = new Map(toAgents.map(({ port }, index) => [`a${index + 1}`, port]));
  const serve = await startServePart(
    postgres.url(await postgres.createDatabase()),
    addresses,
    "drain_seconds: 1",
  );
  const toServer = await startToxicProxy(serve.port, random);
  const baseUrl = `http://127.0.0.1:${toServer.port}`;
  const clients = [
    createValinorClient({ baseUrl }),
    createValinorClient({ transport: createConnectTransport({ baseUrl, httpVersion: "1.1" }) }),
    createValinorClient({
      transport: createGrpcTransport({ baseUrl, pingIntervalMs: 3_000, pingTimeoutMs: 2_000 }),
    }),
  ];
  const probe = createValinorClient({ baseUrl: `http://127.0.0.1:${serve.port}` });
  await until("both agents are there", async () => {
    const views = await Promise.all(["a1", "a2"].map((id) => probe.status(id)));
    return views.every(({ connected }) => connected);
  });
  return { random, model, agents, serve, database, clients, toServer, toAgents, toModel };
}

type World = Awaited<ReturnType<typeof startWorld>>;

function poison({ random, toServer, toAgents, toModel }: World): void {
  toServer.plan(createToxics(random, [...every, "half-open"], 0.7));
  for (const proxy of toAgents) proxy.plan(createToxics(random, [...every, "half-open"], 0.3));
  // A model that is silent for ever is given up after three minutes: too long for here.
  toModel.plan(createToxics(random, every, 0.8));
}

/** Every order of some things, shuffled. */
function ordersOf<T>(things: readonly T[]): T[][] {
  if (things.length === 0) return [[]];
  return things.flatMap((first) =>
    ordersOf(things.filter((other) => other !== first)).map((rest) => [first, ...rest]),
  );
}

/** Kills everything, one after the other and in other orders, then all at once. */
async function killInOrders({ random, model, agents, serve, database }: World): Promise<string[]> {
  const [agent] = agents;
  if (agent === undefined) throw new Error("there is no agent");
  const orders = ordersOf<Part>([serve, agent, model, database]);
  // First one order that begins with each of the four, so that a short run has no favourite.
  const sorted = [0, 6, 12, 18, ...Array.from(orders.keys()).filter((index) => index % 6 !== 0)];
  const told: string[] = [];
  for (const index of sorted.slice(0, ORDERS)) {
    const order = orders[index] ?? [];
    told.push(order.map(({ name }) => name).join(", "));
    for (const part of order) {
      await sleep(200 + random.below(600));
      await part.kill();
      await sleep(random.below(400));
      await part.start();
    }
  }
  const all = [serve, agent, model, database];
  await sleep(300);
  await Promise.all(all.map((part) => part.kill()));
  // Whatever starts first finds the others away.
  await Promise.all([model.start(), ...agents.slice(0, 1).map((part) => part.start()), database.start()]);
  await serve.start();
  return told;
}

/** Sends until there were enough and the killing is over; answers how each one ended. */
async function sendAll(world: World, killing: Promise<unknown>): Promise<Map<Send, Ending>> {
  const { random, clients } = world;
  const endings = new Map<Send, Ending>();
  const state = { begun: 0, killing: true };
  const over = () => void (state.killing = false);
  void killing.then(over, over);
  const sender = async (client: ValinorClient): Promise<void> => {
    while (state.begun < SENDS || state.killing) {
      const n = state.begun++;
      const isLong = random.chance(0.1);
      const [pieces, pace] = isLong ? [40 + random.below(160), 10] : [1 + random.below(30), random.below(6)];
      const send = makeSend(`a${1 + (n % 2)}`, `s${SEED}-${n}`, pieces, pace);
      const ending = await sendToEnd(client, send);
      endings.set(send, ending);
      // While the model is away every message fails at once: the others are not to be spent on that.
      if (ending.how !== "done") await sleep(200);
    }
  };
  await Promise.all(
    Array.from({ length: SENDERS }, (_, index) => sender(clients[index % clients.length] as ValinorClient)),
  );
  return endings;
}

function tally(endings: Iterable<Ending>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { how } of endings) counts[how] = (counts[how] ?? 0) + 1;
  return counts;
}

function touched(proxies: readonly ToxicProxy[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { counts } of proxies)
    for (const [kind, count] of Object.entries(counts)) sums[kind] = (sums[kind] ?? 0) + count;
  return sums;
}

/** What may end a message that nobody can do anything about: its agent's process, or the call of the model, was cut. */
const HONEST = new Set([
  "done",
  "RUN_LOST",
  "AGENT_ERROR request_error",
  "AGENT_ERROR read_error",
  "AGENT_ERROR truncated",
]);

test.skipIf(missing !== undefined)(
  `${SENDS} messages through toxics on every leg and kills of everything each end once, run at most once, and have the model's own text`,
  async () => {
    console.log(`seed ${SEED}`);
    const world = await startWorld();
    poison(world);
    const began = performance.now();
    const killing = killInOrders(world);
    const endings = await sendAll(world, killing);
    const orders = await killing;
    const seconds = (performance.now() - began) / 1000;
    // Everything that ended badly is asked for again: still nothing runs twice.
    const again = [...endings].filter(([, { how }]) => how !== "done").slice(0, 500);
    const second = await Promise.all(
      again.map(([send], index) => sendToEnd(world.clients[index % 3] as ValinorClient, send)),
    );

    const calls = world.model.calls();
    const twice = [...calls].filter(([, count]) => count > 1);
    const faults = [...endings].flatMap(([{ id }, ending]) =>
      ending.faults.map((fault) => `${id}: ${fault}`),
    );
    const all = [...endings.values()];
    const slowest = Math.max(...all.map(({ ms }) => ms));
    console.log(
      `${endings.size} messages in ${seconds.toFixed(0)} s, ${all.reduce((sum, { resumes }) => sum + resumes, 0)} resumes, ` +
        `slowest ${(slowest / 1000).toFixed(1)} s; ended: ${JSON.stringify(tally(all))}; asked for again: ${JSON.stringify(tally(second))}; ` +
        `${calls.size} model calls, ${twice.length} twice`,
    );
    console.log(
      `connections: ${JSON.stringify(touched([world.toServer, ...world.toAgents, world.toModel]))}`,
    );
    for (const order of orders) console.log(`killed in the order ${order}`);
    expect(faults).toEqual([]);
    expect(second.flatMap((ending) => ending.faults)).toEqual([]);
    expect(twice).toEqual([]);
    const done = [...endings].filter(([, { how }]) => how === "done");
    expect(done.filter(([{ id }]) => calls.get(id) !== 1)).toEqual([]);
    expect(Object.keys(tally(all)).filter((how) => !HONEST.has(how))).toEqual([]);
    expect(tally(all)["done"] ?? 0).toBeGreaterThan(endings.size / 2);
  },
);
