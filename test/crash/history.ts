import type { Actor } from "../../src/store/audit.ts";
import type { AuditAction } from "../../src/store/audit.ts";
import type { AgentState, Store } from "../../src/store/store.ts";
import { configDigest } from "../../protocol/wire/digest.ts";

/** One write. `n` numbers the writes of a history, and marks what each one wrote. */
export interface Step {
  readonly n: number;
  readonly action: AuditAction;
  /** The agent, or the API key. */
  readonly id: string;
}

/** What an agent is to have after the steps so far. */
export interface ExpectedAgent {
  status: AgentState;
  revision: number;
  /** Steps that wrote each revision, the first revision first. */
  configs: number[];
  /** Step of the latest verdict on the current revision; 0: none. */
  verdict: number;
  /** Steps that wrote the context entries, by key. */
  readonly contexts: Map<string, number>;
}

/** What a tenant is to have after the steps so far. */
export interface Expected {
  readonly agents: Map<string, ExpectedAgent>;
  /** API keys, and whether they are revoked. */
  readonly keys: Map<string, boolean>;
}

export const crashActor: Actor = { subject: "writer", credential: "local" };

const policy = { mode: "all", tools: [] } as const;
const MAX_AGENTS = 4;
const CONTEXT_KEYS = ["", "k1", "k2"];

/** The configuration that a step wrote; 0: the one an agent is created with. Some take several pages of the database. */
export function configOf(n: number): { n: number; filler: string } | Record<string, never> {
  return n === 0 ? {} : { n, filler: "x".repeat((n * 997) % 9_000) };
}

/** The writes of one writer: the same for the same seed, so that whoever checks them knows them without being told. */
export function createHistory(seed: number): { readonly expected: Expected; next(): Step } {
  const expected: Expected = { agents: new Map(), keys: new Map() };
  const random = randomOf(seed);
  let n = 0;
  return {
    expected,
    next() {
      const step = chooseStep(++n, expected, random);
      apply(step, expected);
      return step;
    },
  };
}

/** mulberry32. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

function chooseStep(n: number, { agents, keys }: Expected, random: (below: number) => number): Step {
  const ids = [...agents.keys()];
  const valid = [...keys].filter(([, isRevoked]) => !isRevoked).map(([id]) => id);
  const roll = random(20);
  if (ids.length === 0 || (roll === 0 && ids.length < MAX_AGENTS)) {
    return { n, action: "agent.create", id: `a${n}` };
  }
  if (roll === 1 && ids.length > 1) return { n, action: "agent.delete", id: ids[random(ids.length)] ?? "" };
  if (roll === 2) return { n, action: "key.create", id: `key-${n}` };
  if (roll === 3 && valid.length > 0)
    return { n, action: "key.revoke", id: valid[random(valid.length)] ?? "" };
  const id = ids[random(ids.length)] ?? "";
  if (roll < 6) return { n, action: "agent.update", id };
  if (roll < 9) return { n, action: "config.applied", id };
  return { n, action: roll < 14 ? "context.push" : "config.push", id };
}

/** The entry of the context that a step writes. */
export function contextKeyOf(n: number): string {
  return CONTEXT_KEYS[n % CONTEXT_KEYS.length] ?? "";
}

function apply({ n, action, id }: Step, { agents, keys }: Expected): void {
  const fresh = {
    status: "PROVISIONING",
    revision: 1,
    configs: [0],
    verdict: 0,
    contexts: new Map(),
  } as const;
  const agent = agents.get(id);
  if (action === "agent.create") agents.set(id, { ...fresh, configs: [0], contexts: new Map() });
  else if (action === "agent.delete") agents.delete(id);
  else if (action === "key.create") keys.set(id, false);
  else if (action === "key.revoke") keys.set(id, true);
  else if (agent === undefined) throw new Error(`step ${n} is about no agent`);
  else if (action === "agent.update") agent.status = otherStatus(agent.status);
  else if (action === "config.applied") agent.verdict = n;
  else if (action === "context.push") agent.contexts.set(contextKeyOf(n), n);
  else {
    agent.revision++;
    agent.configs.push(n);
    agent.verdict = 0;
  }
}

function otherStatus(status: AgentState): AgentState {
  return status === "RUNNING" ? "STOPPED" : "RUNNING";
}

/** Does a step with a store; `expected` is what the history says after it. Resolves when the store says that it is done. */
export async function perform(store: Store, tenant: string, step: Step, expected: Expected): Promise<void> {
  const { n, action, id } = step;
  const key = { tenant, id };
  const agent = expected.agents.get(id);
  switch (action) {
    case "agent.create":
      await store.createAgent({ ...key, status: "PROVISIONING", vsockCid: 0, address: "" }, crashActor);
      return;
    case "agent.update":
      await store.updateAgent(key, { status: agent?.status ?? "FAILED" }, "", crashActor);
      return;
    case "agent.delete":
      await store.deleteAgent(key, crashActor);
      return;
    case "config.push": {
      const config = configOf(n);
      const rest = { actor: crashActor, rollbackOf: 0, expectedRevision: (agent?.revision ?? 0) - 1 };
      await store.putConfig(key, { config, policy, sha256: configDigest(config, policy), ...rest });
      return;
    }
    case "config.applied":
      await store.recordVerdict(key, agent?.revision ?? 0, {
        outcome: "applied",
        reason: "",
        bootId: `b${n}`,
      });
      return;
    case "context.push":
      await store.putContext(key, { key: contextKeyOf(n), payload: { context: `step ${n}` } }, crashActor);
      return;
    case "key.create": {
      const rest = { subject: "s", permissions: [], label: `step ${n}`, expireTime: undefined };
      await store.createKey({ id: `${tenant}-${id}`, tenant, sha256: "0".repeat(64), ...rest }, crashActor);
      return;
    }
    case "key.revoke":
      await store.revokeKey(`${tenant}-${id}`, crashActor);
      return;
    default:
      throw new Error(`${action} is no step`);
  }
}
