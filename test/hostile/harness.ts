import { type ChildProcess, fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { cpus, setPriority } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { makeApiKey } from "../../src/auth/api-key.ts";
import { defaultRoles } from "../../src/auth/roles.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import { afterFile, tempDir } from "../helpers/cleanup.ts";
import type { AttackOrder, AttackOutcome } from "./attack.ts";
import { verdictOf } from "./goals.ts";

/** What the server says of itself; sizes in bytes. */
export interface ProbeFigures {
  /** CPU time of the loop's longest turn since `begin`, milliseconds. */
  readonly longestTurnMs: number;
  readonly rss: number;
  /** Largest since `begin`. */
  readonly peakRss: number;
}

/** A call of the good client: GET without a body, else POST of JSON. A Connect call is one to `/valinor.v1.Service/Method`. */
export interface GoodCall {
  readonly path: string;
  readonly body?: string;
}

/** What the good client's process is told. */
export interface GoodOrder {
  readonly port: number;
  readonly key: string;
  readonly calls: readonly GoodCall[];
  readonly forMs: number;
}

/** What it saw; times in milliseconds. */
export interface GoodFigures {
  readonly calls: number;
  readonly answered: number;
  readonly p50: number;
  readonly p99: number;
  /** Some of what went wrong. */
  readonly failures: readonly string[];
}

/** A real `valinor serve` with authentication, on a core of its own if there are two. */
export interface HostileServer {
  readonly port: number;
  /** Process id. */
  readonly pid: number;
  /** Keys of the tenant `evil` by role (viewer, operator, admin, platform), and `good`: an admin's of the tenant `good`. */
  readonly keys: Readonly<Record<string, string>>;
  /** Bytes that it has logged so far. */
  logged(): number;
  /** False once it has ended. */
  alive(): boolean;
  probe(message: "begin" | "look"): Promise<ProbeFigures>;
}

/** How a server differs from the usual. */
export interface HostileServerOptions {
  /** Agents of the configuration file, beside `good` of the tenant `good` and `a1` of `evil`, which have no address. */
  readonly agents?: readonly { id: string; tenant: string; address: string }[];
  /** Flags of Node. */
  readonly nodeFlags?: readonly string[];
}

const pinned = cpus().length > 1 && spawnSync("taskset", ["--version"]).status === 0;

/** Starts the server; it is killed after the last test of the file. */
export async function startHostileServer(options: HostileServerOptions = {}): Promise<HostileServer> {
  const dir = tempDir();
  const path = join(dir, "store.db");
  const keys = await makeKeys(path);
  const file = join(dir, "valinor.yaml");
  const agents = [{ id: "good", tenant: "good" }, { id: "a1", tenant: "evil" }, ...(options.agents ?? [])];
  const store = { url: `sqlite:${path}` };
  writeFileSync(file, stringify({ server: { port: 0 }, auth: { api_keys: true }, store, agents }));
  const valinor = join(import.meta.dirname, "../../bin/valinor.js");
  const probe = join(import.meta.dirname, "probe.ts");
  const flags = [...(options.nodeFlags ?? []), "--import", probe];
  const child = start(0, valinor, ["serve", "--config", file], flags);
  let logged = 0;
  let text = "";
  const listening = Promise.withResolvers<number>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (part: Buffer) => {
      logged += part.length;
      if (text.length < 1024 * 1024) text += part.toString();
      const port = /"url":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(text)?.[1];
      if (port !== undefined) listening.resolve(Number(port));
    });
  }
  child.once("close", () => listening.reject(new Error(`the server ended before it listened:\n${text}`)));
  const port = await listening.promise;
  return {
    port,
    pid: child.pid ?? 0,
    keys,
    logged: () => logged,
    alive: () => child.exitCode === null && child.signalCode === null,
    async probe(message) {
      const answer = once(child, "message", { signal: AbortSignal.timeout(30_000) });
      child.send(message);
      const [figures] = (await answer) as [ProbeFigures];
      return figures;
    },
  };
}

async function makeKeys(path: string): Promise<Record<string, string>> {
  const store = await openSqliteStore(path);
  const keys: Record<string, string> = {};
  const holders = Object.keys(defaultRoles).map((role) => ({ name: role, role, tenant: "evil" }));
  for (const { name, role, tenant } of [...holders, { name: "good", role: "admin", tenant: "good" }]) {
    const { id, text, sha256 } = makeApiKey();
    const permissions = defaultRoles[role] ?? [];
    const record = { id, tenant, subject: name, permissions, sha256, label: "", expireTime: undefined };
    await store.createKey(record, { subject: "test", credential: "test" });
    keys[name] = text;
  }
  await store.close();
  return keys;
}

/** Starts a Node program with a channel to it, on one core if there are two. It is killed after the last test of the file. */
export function start(
  core: 0 | 1,
  program: string,
  args: readonly string[] = [],
  execArgv: readonly string[] = [],
): ChildProcess {
  const [execPath, before] = pinned
    ? ["taskset", ["-c", String(core), process.execPath, ...execArgv]]
    : [process.execPath, [...execArgv]];
  const child = fork(program, args, { execPath, execArgv: before, silent: true });
  child.on("error", () => {});
  favour(child.pid);
  afterFile(() => void child.kill("SIGKILL"));
  return child;
}

/** Lets a process run before those of the machine that have nothing to do with this, if we may. */
function favour(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, -10);
  } catch {
    // Only root may: the figures are less steady then.
  }
}

/** An attack: the function `name` that `module` (a file beside this one) exports. */
export interface AttackPlan {
  readonly module: string;
  readonly name: string;
  readonly peers: number;
}

/** Begins an attack in a process of its own; resolves once it says that it has begun. */
export async function beginAttack(server: HostileServer, { module, name, peers }: AttackPlan) {
  const child = start(1, join(import.meta.dirname, "attacker.ts"));
  let errors = "";
  child.stderr?.on("data", (part: Buffer) => (errors += part.toString()));
  const outcome = Promise.withResolvers<AttackOutcome>();
  const begun = Promise.withResolvers<void>();
  child.on("message", (message: "begun" | AttackOutcome) => {
    if (message === "begun") return begun.resolve();
    begun.resolve();
    outcome.resolve(message);
  });
  child.once("close", () => {
    begun.reject(new Error(`the attack ${name} ended before it began: ${errors}`));
    outcome.reject(new Error(`the attack ${name} ended without an outcome: ${errors}`));
  });
  outcome.promise.catch(() => {});
  const order: AttackOrder = {
    module: join(import.meta.dirname, module),
    name,
    peers,
    port: server.port,
    keys: server.keys,
  };
  child.send(order);
  await begun.promise;
  return {
    /** Ends the attack; what it tells of itself. */
    async stop(): Promise<AttackOutcome> {
      if (child.connected) child.send("stop");
      const told = await outcome.promise;
      if (told.error !== undefined) throw new Error(`the attack ${name} failed: ${told.error}`);
      return told;
    },
  };
}

/** What the good client calls unless told otherwise: one call over REST, one over Connect. */
export const usualCalls: readonly GoodCall[] = [
  { path: "/agents" },
  { path: "/valinor.v1.AgentRegistry/GetAgent", body: '{"agentId":"good"}' },
];

/** Lets the good client call for some time, from a process of its own. */
export async function goodClient(
  server: HostileServer,
  forMs: number,
  calls = usualCalls,
): Promise<GoodFigures> {
  const child = start(1, join(import.meta.dirname, "good-client.ts"));
  const answer = Promise.race([
    once(child, "message", { signal: AbortSignal.timeout(forMs + 30_000) }),
    once(child, "close").then(() => Promise.reject(new Error("the good client ended without figures"))),
  ]);
  const order: GoodOrder = { port: server.port, key: server.keys["good"] ?? "", calls, forMs };
  child.send(order);
  const [figures] = (await answer) as [GoodFigures];
  return figures;
}

/** What an attack did, beside a control in which as many peers were connected and silent. */
export interface Measured {
  readonly control: GoodFigures;
  readonly good: GoodFigures;
  readonly outcome: AttackOutcome;
  /** MiB by which RSS rose at its peak. */
  readonly rssMiB: number;
  /** CPU time, milliseconds. */
  readonly longestTurnMs: number;
  /** Bytes logged meanwhile. */
  readonly logged: number;
}

const controls = new WeakMap<HostileServer, Map<string, GoodFigures>>();

/** Measures the good client while the attack goes on, and prints one line of figures. */
export async function measure(
  server: HostileServer,
  plan: AttackPlan & { readonly title: string; readonly forMs: number; readonly calls?: readonly GoodCall[] },
): Promise<Measured> {
  const { title, forMs, calls } = plan;
  const control = await controlOf(server, plan);
  const before = await server.probe("begin");
  const loggedBefore = server.logged();
  const attack = await beginAttack(server, plan);
  const good = await goodClient(server, forMs, calls);
  const outcome = await attack.stop();
  if (!server.alive()) throw new Error(`${title}: the server has ended`);
  const after = await server.probe("look");
  const measured: Measured = {
    control,
    good,
    outcome,
    rssMiB: (after.peakRss - before.rss) / 2 ** 20,
    longestTurnMs: after.longestTurnMs,
    logged: server.logged() - loggedBefore,
  };
  console.log(lineOf(title, measured));
  return measured;
}

/** Rounds of a control: other programs can only make one worse, and the first is made by a server that is not warm. */
const CONTROL_ROUNDS = 3;

/** The good client while nobody attacks: the round with the least p99. */
export async function measureControl(
  server: HostileServer,
  forMs: number,
  calls = usualCalls,
): Promise<GoodFigures> {
  const rounds: GoodFigures[] = [];
  for (let round = 0; round < CONTROL_ROUNDS; round++) rounds.push(await goodClient(server, forMs, calls));
  return rounds.reduce((best, figures) => (figures.p99 < best.p99 ? figures : best));
}

/** The good client beside peers that are connected and silent; measured once for as many peers. */
async function controlOf(
  server: HostileServer,
  { peers, forMs, calls }: { peers: number; forMs: number; calls?: readonly GoodCall[] },
): Promise<GoodFigures> {
  const known = controls.get(server) ?? new Map<string, GoodFigures>();
  controls.set(server, known);
  const name = `${peers} ${JSON.stringify(calls ?? usualCalls)}`;
  const found = known.get(name);
  if (found !== undefined) return found;
  const silent = await beginAttack(server, { module: "silent.ts", name: "silent", peers });
  const figures = await measureControl(server, forMs, calls);
  await silent.stop();
  known.set(name, figures);
  return figures;
}

/** One line of figures. */
export function lineOf(title: string, measured: Measured, more: readonly string[] = []): string {
  const { control, good, outcome, rssMiB, longestTurnMs, logged } = measured;
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  const closed = outcome.closedMs.toSorted((a, b) => a - b);
  const parts = [
    verdictOf(measured),
    `${good.answered}/${good.calls} answered`,
    `p50 ${ms(good.p50)} p99 ${ms(good.p99)} (control ${ms(control.p50)} ${ms(control.p99)})`,
    `RSS +${rssMiB.toFixed(0)} MiB`,
    `longest turn ${ms(longestTurnMs)} CPU`,
    `${(logged / 1024).toFixed(0)} KiB logged`,
    closed.length === 0
      ? "none closed"
      : `${closed.length} closed after ${ms(closed[0] ?? 0)} to ${ms(closed.at(-1) ?? 0)}`,
    ...Object.entries(outcome.counts).map(([name, count]) => `${name} ${count}`),
    ...more,
    ...good.failures.slice(0, 1),
  ];
  return `${title}: ${parts.join(", ")}`;
}
