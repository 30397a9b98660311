import type { Actor } from "../../src/store/audit.ts";
import type { NewAuditEntry } from "../../src/store/audit.ts";
import type { NewKey } from "../../src/store/keys.ts";
import type { NewAgent, NewConfig } from "../../src/store/store.ts";
import { configDigest } from "../../protocol/wire/digest.ts";

export const ann: Actor = { subject: "ann", credential: "key:k1" };
export const bob: Actor = { subject: "bob", credential: "jwt:https://issuer.example" };

/** The agent that most tests work on. */
export const key = { tenant: "acme", id: "a1" };

export const all = { mode: "all", tools: [] } as const;

/** An agent to be created; `key`'s, running and without an address, unless told otherwise. */
export function agent(changes: Partial<NewAgent> = {}): NewAgent {
  return { ...key, status: "RUNNING", vsockCid: 0, address: "", ...changes };
}

/** A configuration to be stored, with the digest that fits. */
export function config(changes: Partial<NewConfig> = {}): NewConfig {
  const next = {
    config: { model: "m" },
    policy: all,
    actor: ann,
    rollbackOf: 0,
    expectedRevision: 0,
    ...changes,
  };
  return { sha256: configDigest(next.config, next.policy), ...next };
}

/** An API key to be stored, of tenant `acme`. */
export function apiKey(changes: Partial<NewKey> = {}): NewKey {
  return {
    id: "k1",
    tenant: "acme",
    subject: "ci",
    permissions: ["agents:read", "agents:write"],
    sha256: "ab".repeat(32),
    label: "the build",
    expireTime: undefined,
    ...changes,
  };
}

/** An entry for the audit log. */
export function entry(changes: Partial<NewAuditEntry> = {}): NewAuditEntry {
  return {
    tenant: "acme",
    subject: "ann",
    credential: "key:k1",
    action: "denied",
    agentId: "",
    detail: {},
    ...changes,
  };
}
