import type { JsonObject } from "@bufbuild/protobuf";
import { statusOf } from "../../src/core/registry/status.ts";
import { localCaller } from "../../src/core/access/authorize.ts";
import type { ConfigRecord, Store } from "../../src/store/store.ts";
import { configDigest } from "../../protocol/wire/digest.ts";
import type { World } from "../core/world.ts";
import type { Claim, KnownRefusal } from "./checks.ts";
import { clock } from "./guest.ts";

/** Names an agent of these tests. */
export const keyOf = (id: string) => ({ tenant: localCaller.tenant, id });

/** A configuration as its guest gets it. */
export interface Known {
  readonly revision: number;
  readonly sha256: string;
  readonly config: JsonObject;
}

/** Writes down what the control plane says, to be held against what the guests did. */
export interface Witness {
  readonly claims: Claim[];
  readonly refusals: KnownRefusal[];
  /** Observed revisions that fell within a boot. */
  readonly fell: string[];
  /** The store, with an eye on what is written: configurations, and refusals, which the control plane knows from then on. */
  watch(store: Store): Store;
  /** The configuration that an agent is to have. */
  current(id: string): Known | undefined;
  digestOf(id: string, revision: number): string;
  /** Looks at every agent. */
  sample(world: World): void;
}

/** Makes the witness of these agents. */
export function createWitness(ids: readonly string[]): Witness {
  const claims: Claim[] = [];
  const refusals: KnownRefusal[] = [];
  const fell: string[] = [];
  const highest = new Map<string, number>();
  const said = new Set<string>();
  const current = new Map<string, Known>();
  const digests = new Map<string, string>();

  function stored<R extends Pick<ConfigRecord, "revision" | "config" | "policy">>(id: string, record: R): R {
    const { revision, config, policy } = record;
    const sha256 = configDigest(config, policy);
    digests.set(`${id} ${revision}`, sha256);
    if (revision > (current.get(id)?.revision ?? 0)) current.set(id, { revision, sha256, config });
    return record;
  }

  const digestOf = (id: string, revision: number) => digests.get(`${id} ${revision}`) ?? "unknown";

  function look(world: World, id: string): void {
    const agent = world.fleet.find(keyOf(id));
    if (agent === undefined) return;
    const { bootId, configState, observedRevision, protocol } = statusOf(agent);
    if (protocol !== 2) return;
    const boot = `${id} ${bootId}`;
    const before = highest.get(boot) ?? 0;
    if (observedRevision < before) fell.push(`${boot}: ${before}, then ${observedRevision}`);
    highest.set(boot, Math.max(before, observedRevision));
    const revision = agent.record.configRevision;
    if (configState !== "applied" || said.has(`${boot} ${revision}`)) return;
    said.add(`${boot} ${revision}`);
    claims.push({ agent: id, bootId, revision, sha256: digestOf(id, revision), time: clock() });
  }

  return {
    claims,
    refusals,
    fell,
    watch: (store) => ({
      ...store,
      async createAgent(agent, actor) {
        stored(agent.id, { revision: 1, config: {}, policy: { mode: "all", tools: [] } });
        return store.createAgent(agent, actor);
      },
      putConfig: async (key, next) => stored(key.id, await store.putConfig(key, next)),
      raiseRevision: async (key, above) => stored(key.id, await store.raiseRevision(key, above)),
      recordVerdict(key, revision, verdict) {
        const { outcome, bootId } = verdict;
        if (outcome === "refused") refusals.push({ agent: key.id, bootId, revision, time: clock() });
        return store.recordVerdict(key, revision, verdict);
      },
    }),
    current: (id) => current.get(id),
    digestOf,
    sample(world) {
      for (const id of ids) look(world, id);
    },
  };
}
