import { setTimeout as sleep } from "node:timers/promises";
import { localCaller } from "../../src/core/access/authorize.ts";
import { toValinorError } from "../../src/core/errors.ts";
import { configDigest } from "../../protocol/wire/digest.ts";
import type { World } from "../core/world.ts";
import { clock, REFUSED_TEXT } from "./guest.ts";
import type { Random } from "../helpers/random.ts";
import type { Witness } from "./witness.ts";

/** Longest pause between two pushes to one agent, milliseconds. */
const PAUSE_MS = 2_500;

const policy = { mode: "all", tools: [] } as const;
const forever = new AbortController().signal;

/** Changes what agents are to have, as clients do. */
export interface Driver {
  readonly configs: number;
  readonly contexts: number;
  /** Changes one agent so many times, each time after the one before was answered. */
  drive(id: string, times: number, random: Random): Promise<void>;
  pushConfig(id: string, n: number): Promise<void>;
}

/** Makes the driver. Each answer that says applied is a claim. */
export function createDriver(world: World, witness: Witness): Driver {
  let configs = 0;
  let contexts = 0;

  async function pushConfig(id: string, n: number): Promise<void> {
    configs++;
    const config = { n, of: id };
    const input = { agentId: id, config, policy, expectedRevision: 0 };
    const { applied, revision } = await patiently(() => world.core.pushConfig(localCaller, input, forever));
    const sha256 = configDigest(config, policy);
    if (applied) witness.claims.push({ agent: id, bootId: undefined, revision, sha256, time: clock() });
  }

  async function pushContext(id: string, n: number, random: Random): Promise<void> {
    contexts++;
    const key = ["", "one", "two"][random.below(3)] ?? "";
    const text = random.chance(0.15) ? "" : `text ${n} of ${id}`;
    const context = random.chance(0.15) ? REFUSED_TEXT : text;
    const input = { agentId: id, key, payload: { context, key } };
    await patiently(() => world.core.pushContext(localCaller, input, forever));
  }

  return {
    get configs() {
      return configs;
    },
    get contexts() {
      return contexts;
    },
    async drive(id, times, random) {
      for (let n = 1; n <= times; n++) {
        await sleep(random.below(PAUSE_MS));
        if (random.chance(0.3)) await pushContext(id, n, random);
        else await pushConfig(id, n);
      }
    },
    pushConfig,
  };
}

/** A thousand writes at once may be more than a store answers in time: a client tries again then. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      const { reason, retryMs = 0 } = toValinorError(error);
      if (reason !== "STORE_UNAVAILABLE" || tries === 20) throw error;
      await sleep(retryMs);
    }
  }
}
