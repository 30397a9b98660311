import { statusOf } from "../../src/core/status.ts";
import { localCaller } from "../../src/core/authorize.ts";
import type { Store } from "../../src/store/store.ts";
import { configDigest } from "../../src/wire/digest.ts";
import type { World } from "../core/world.ts";
import type { Claim, KnownRefusal } from "./checks.ts";
import { clock } from "./guest.ts";

/** Names an agent of these tests. */
export const keyOf = (id: string) => ({ tenant: localCaller.tenant, id });

/** Writes down what the control plane says, to be held against what the guests did. */
export interface Witness {
  readonly claims: Claim[];
  readonly refusals: KnownRefusal[];
  /** Observed revisions that fell within a boot. */
  readonly fell: string[];
  /** The store, and when it is told of a refusal: from then on the control plane knows it. */
  watch(store: Store): Store;
  /** Looks at every agent. */
  sample(world: World): Promise<void>;
}

/** Makes the witness of these agents. */
export function createWitness(ids: readonly string[]): Witness {
  const claims: Claim[] = [];
  const refusals: KnownRefusal[] = [];
  const fell: string[] = [];
  const highest = new Map<string, number>();
  const said = new Set<string>();

  async function look(world: World, id: string): Promise<void> {
    const agent = world.fleet.find(keyOf(id));
    if (agent === undefined) return;
    const { bootId, configState, observedRevision, protocol } = statusOf(agent);
    if (protocol !== 2) return;
    const time = clock();
    const boot = `${id} ${bootId}`;
    const before = highest.get(boot) ?? 0;
    if (observedRevision < before) fell.push(`${boot}: ${before}, then ${observedRevision}`);
    highest.set(boot, Math.max(before, observedRevision));
    const revision = agent.record.configRevision;
    if (configState !== "applied" || said.has(`${boot} ${revision}`)) return;
    said.add(`${boot} ${revision}`);
    claims.push({ agent: id, bootId, revision, sha256: await digestOf(world.store, id, revision), time });
  }

  return {
    claims,
    refusals,
    fell,
    watch: (store) => ({
      ...store,
      recordVerdict(key, revision, verdict) {
        const { outcome, bootId } = verdict;
        if (outcome === "refused") refusals.push({ agent: key.id, bootId, revision, time: clock() });
        return store.recordVerdict(key, revision, verdict);
      },
    }),
    async sample(world) {
      for (const id of ids) await look(world, id);
    },
  };
}

/** Digest of a revision as its guest gets it. */
export async function digestOf(store: Store, id: string, revision: number): Promise<string> {
  const record = await store.getConfig(keyOf(id), revision);
  return record === undefined ? "gone" : configDigest(record.config, record.policy);
}
