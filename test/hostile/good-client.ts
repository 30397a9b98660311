/** The process of the good client: two callers with a key, one over REST and one over Connect, each with one connection. */
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { GoodCall, GoodFigures, GoodOrder } from "./harness.ts";

/** An answer later than this is none. */
const PATIENCE_MS = 5_000;
/** Pause between two calls of a caller. */
const PAUSE_MS = 4;
/** Calls that a caller makes at least, as fewer tell nothing of a busy machine; and how much longer it may take for them. */
const LEAST_CALLS = 12;
const LONGER_MS = 10_000;

process.on("message", (order: GoodOrder) => void run(order));
process.once("disconnect", () => process.exit(0));

async function run({ port, key, calls, forMs }: GoodOrder): Promise<void> {
  const end = performance.now() + forMs;
  const callers = await Promise.all(calls.map((call) => repeat(call, port, key, end)));
  const times = callers.flatMap(({ times }) => times).toSorted((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN;
  const figures: GoodFigures = {
    calls: callers.reduce((sum, { asked }) => sum + asked, 0),
    answered: times.length,
    p50: at(0.5),
    p99: at(0.99),
    failures: callers.flatMap(({ failures }) => failures).slice(0, 5),
  };
  process.send?.(figures, () => process.exit(0));
}

async function repeat(call: GoodCall, port: number, key: string, end: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const times: number[] = [];
  const failures: string[] = [];
  let asked = 0;
  while (performance.now() < end || (asked < LEAST_CALLS && performance.now() < end + LONGER_MS)) {
    asked++;
    const began = performance.now();
    try {
      await ask(call, port, key, agent);
      times.push(performance.now() - began);
    } catch (error) {
      failures.push(`${call.path}: ${String(error)}`);
    }
    await sleep(PAUSE_MS);
  }
  agent.destroy();
  return { asked, times, failures };
}

function ask({ path, body }: GoodCall, port: number, key: string, agent: Agent): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const req = request({
    port,
    path,
    agent,
    method: body === undefined ? "GET" : "POST",
    headers: {
      authorization: `Bearer ${key}`,
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  req.on("error", reject);
  req.on("response", (res) => {
    res.on("error", reject).on("close", () => {
      if (res.complete && res.statusCode === 200) resolve();
      else reject(new Error(`status ${res.statusCode}`));
    });
    res.resume();
  });
  req.end(body);
  return promise;
}
