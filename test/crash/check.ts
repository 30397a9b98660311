import { expect } from "vitest";
import type { AuditEntry } from "../../src/store/audit.ts";
import { KEPT_REVISIONS, type Store } from "../../src/store/store.ts";
import { configOf, createHistory, type ExpectedAgent, type Step } from "./history.ts";

/** A writer that was killed: what it was to write, and the last step of which it was told that it is done. */
export interface Killed {
  readonly tenant: string;
  readonly seed: number;
  readonly acknowledged: number;
}

/**
 * Checks that every acknowledged step is there with its entry in the audit log, and at most one more: the one whose
 * acknowledgement the kill cut off. Everything else is as after the last step that the log has, so none is there by half.
 */
export async function checkHistory(store: Store, { tenant, seed, acknowledged }: Killed): Promise<void> {
  const entries = await allEntries(store, tenant);
  const done = entries.length;
  expect([acknowledged, acknowledged + 1]).toContain(done);
  const history = createHistory(seed);
  for (const entry of entries) expectEntry(entry, history.next(), tenant);
  const { agents, keys } = history.expected;
  const found = await store.listAgents(tenant, { afterId: "", limit: 100 });
  expect({ tenant, ids: found.map(({ id }) => id).toSorted() }).toEqual({
    tenant,
    ids: [...agents.keys()].toSorted(),
  });
  for (const [id, agent] of agents) await expectAgent(store, { tenant, id }, agent);
  const stored = await store.listKeys({ tenant, afterId: "", limit: 10_000 });
  const states = stored.map(({ id, revokeTime }) => [id.slice(tenant.length + 1), revokeTime !== undefined]);
  expect({ tenant, keys: new Map(states as [string, boolean][]) }).toEqual({ tenant, keys });
}

async function allEntries(store: Store, tenant: string): Promise<AuditEntry[]> {
  const all: AuditEntry[] = [];
  for (;;) {
    const page = await store.listAudit({ after: all.at(-1)?.sequence ?? 0, limit: 1_000, tenant });
    all.push(...page);
    if (page.length < 1_000) return all;
  }
}

function expectEntry({ action, agentId, detail }: AuditEntry, step: Step, tenant: string): void {
  const isKey = step.action.startsWith("key.");
  const id = isKey ? detail["id"] : agentId;
  expect({ tenant, n: step.n, action, id }).toEqual({
    tenant,
    n: step.n,
    action: step.action,
    id: isKey ? `${tenant}-${step.id}` : step.id,
  });
}

async function expectAgent(
  store: Store,
  key: { tenant: string; id: string },
  expected: ExpectedAgent,
): Promise<void> {
  const { status, revision, configs, verdict, contexts } = expected;
  expect(await store.getAgent(key)).toMatchObject({ ...key, status, configRevision: revision });
  const kept = await store.listConfigs(key, { before: 0, limit: KEPT_REVISIONS + 1 });
  const current = await store.currentConfig(key);
  const entries = await store.contexts(key);
  const found = {
    key,
    configs: kept.map(({ config }) => config).toReversed(),
    boot: current?.verdict.bootId,
    contexts: Object.fromEntries(entries.map(({ key: name, payload }) => [name, payload["context"]])),
  };
  expect(found).toEqual({
    key,
    configs: configs.slice(-KEPT_REVISIONS).map((n) => configOf(n)),
    boot: verdict === 0 ? "" : `b${verdict}`,
    contexts: Object.fromEntries([...contexts].map(([name, n]) => [name, `step ${n}`])),
  });
}
