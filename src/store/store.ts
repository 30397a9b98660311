import type { JsonObject } from "@bufbuild/protobuf";
import type { Actor, AuditStore } from "./audit.ts";
import type { KeyStore } from "./keys.ts";
import type { StoreTrouble } from "./troubles.ts";
import { errorText, limits } from "@valinor/protocol";

/** Names an agent: ids are unique in their tenant. */
export interface AgentKey {
  readonly tenant: string;
  readonly id: string;
}

/** Where an agent's machine is in its life. It is live (holds its CID and address) while PROVISIONING or RUNNING. */
export type AgentState = "PROVISIONING" | "RUNNING" | "STOPPED" | "FAILED";

/** An agent to be created. */
export interface NewAgent extends AgentKey {
  readonly status: AgentState;
  /** vsock context id of the machine; 0: none. */
  readonly vsockCid: number;
  /** Where to reach it, in the form of formatAddress (texts are compared as they are); empty: derived from the CID. */
  readonly address: string;
}

/** An agent as it is stored. */
export interface AgentRecord extends NewAgent {
  /** Another value after every change of the agent, a new configuration included, and never one it had before. */
  readonly etag: string;
  readonly createTime: Date;
  readonly updateTime: Date;
  /** Revision of the desired configuration, from 1. */
  readonly configRevision: number;
}

/** Tools that an agent may use: every one, or only those listed (none listed: none). */
export interface ToolPolicyRecord {
  readonly mode: "all" | "listed";
  readonly tools: readonly string[];
}

/** What an agent said of a revision; `none` before it said anything. */
export interface ConfigVerdict {
  readonly outcome: "none" | "applied" | "refused";
  /** Why it was refused. */
  readonly reason: string;
  /** Boot of the guest that said it; empty for protocol 1. */
  readonly bootId: string;
  readonly time: Date | undefined;
}

/** One revision of an agent's configuration. */
export interface ConfigRecord {
  readonly revision: number;
  /** As it is stored: every text that begins with `secret:` is sealed (vault.ts). */
  readonly config: JsonObject;
  readonly policy: ToolPolicyRecord;
  /**
   * configDigest of policy and configuration as they are stored. That of the open form is kept nowhere: whoever has it could try
   * secrets until one fits.
   */
  readonly sha256: string;
  /** Who pushed it. */
  readonly author: string;
  readonly createTime: Date;
  /** Revision that it copies; 0: none. */
  readonly rollbackOf: number;
  readonly verdict: ConfigVerdict;
}

/** One entry of an agent's context. */
export interface ContextRecord {
  /** Name of the entry; empty: the default entry. */
  readonly key: string;
  /** The client's whole object: `context`, `key`, and keys of its own. */
  readonly payload: JsonObject;
  readonly updateTime: Date;
  /** Another one after every change. */
  readonly version: string;
}

/** A configuration to be stored. */
export interface NewConfig {
  /** Sealed, as ConfigRecord.config. */
  readonly config: JsonObject;
  readonly policy: ToolPolicyRecord;
  /** As ConfigRecord.sha256. */
  readonly sha256: string;
  readonly actor: Actor;
  /** Revision that it copies; 0: none. */
  readonly rollbackOf: number;
  /** Revision that must be the current one; 0: any. */
  readonly expectedRevision: number;
}

/** Most agents that are created at once: databases bound the parameters of a statement, and others wait for a transaction's end. */
export const MAX_CREATED = 500;

/** Most entries in an agent's context. */
export const MAX_CONTEXTS = limits.contextEntries;

/** Revisions of an agent's configuration that are kept, the current one included: older ones go when a new one comes. */
export const KEPT_REVISIONS = 100;

/** One comparison of a filter. `prefix` and `notPrefix` are for texts alone. */
export interface AgentCondition {
  readonly field: "id" | "status" | "vsockCid" | "address";
  readonly op: "eq" | "ne" | "prefix" | "notPrefix";
  readonly value: string | number;
}

/** What UpdateAgent changes; what is absent stays. */
export type AgentChanges = Partial<Pick<AgentRecord, "status" | "vsockCid" | "address">>;

/** What tells that an agent changed since it was last seen. */
export interface AgentMark extends AgentKey {
  readonly etag: string;
}

/**
 * What the control plane must not lose. A write is on disk before its promise resolves, and so is its entry in the audit log,
 * which is written in the same transaction. Every method rejects with StoreError, `unavailable` if the database failed or does not
 * answer in time.
 */
export interface Store extends KeyStore, AuditStore {
  /** Adds an agent with configuration revision 1: `{}`, all tools. Errors: `exists`, `address_taken`. Audit: `agent.create`. */
  createAgent(agent: NewAgent, actor: Actor): Promise<AgentRecord>;

  /**
   * As createAgent for many, at most MAX_CREATED, in one transaction: those that can't be added keep no other one out. Resolves with what became
   * of each, in their order.
   */
  createAgents(agents: readonly NewAgent[], actor: Actor): Promise<(AgentRecord | StoreError)[]>;

  getAgent(key: AgentKey): Promise<AgentRecord | undefined>;

  /** A tenant's agents with ids after `afterId` (empty: from the first) that every condition holds for, in code-unit order. */
  listAgents(
    tenant: string,
    page: { afterId: string; limit: number; filter?: readonly AgentCondition[] },
  ): Promise<AgentRecord[]>;

  /** Agents of every tenant, by tenant and id in code-unit order. */
  allAgents(page: { after?: AgentKey; limit: number }): Promise<AgentRecord[]>;

  /** As allAgents, the marks alone: for seeing cheaply what other processes changed. */
  agentMarks(page: { after?: AgentKey; limit: number }): Promise<AgentMark[]>;

  /**
   * Changes an agent. `etag` must be the current one; empty: any. Errors: `not_found`, `etag_conflict`, `address_taken`.
   * Audit: `agent.update` with the names of the changed fields, and no entry if nothing changes (the etag stays then, too).
   */
  updateAgent(key: AgentKey, changes: AgentChanges, etag: string, actor: Actor): Promise<AgentRecord>;

  /** Removes an agent with its configurations and contexts, all or nothing. False if there was no such agent. Audit: `agent.delete`. */
  deleteAgent(key: AgentKey, actor: Actor): Promise<boolean>;

  /**
   * Removes all that a tenant has: agents with what belongs to them, and keys. The audit log stays.
   * Answers how many there were. Audit: `tenant.delete`.
   */
  deleteTenant(tenant: string, actor: Actor): Promise<{ agents: number; keys: number }>;

  /** The desired configuration; undefined if there is no such agent. */
  currentConfig(key: AgentKey): Promise<ConfigRecord | undefined>;

  /** A revision that is kept; undefined if it is not. */
  getConfig(key: AgentKey, revision: number): Promise<ConfigRecord | undefined>;

  /** Kept revisions below `before` (0: all), the newest first. None if there is no such agent. */
  listConfigs(key: AgentKey, page: { before: number; limit: number }): Promise<ConfigRecord[]>;

  /**
   * Stores a new revision, even if nothing differs. Errors: `not_found`, `revision_conflict`.
   * Audit: `config.push` or `config.rollback` with revision and digests before and after.
   */
  putConfig(key: AgentKey, next: NewConfig): Promise<ConfigRecord>;

  /**
   * Gives the current configuration the revision above `above`, so that a guest that has one from a life that this store has not
   * seen (a backup was restored, the agent created again) takes it. Does nothing if the current one is higher already.
   * Resolves with the current configuration. Errors: `not_found`; `too_many` if `above` leaves fewer than 2^20 numbers.
   * Audit: `config.raise`.
   */
  raiseRevision(key: AgentKey, above: number): Promise<ConfigRecord>;

  /**
   * Writes down what the guest said of a revision. Does nothing if that revision is gone, or the same is written already.
   * Audit: `config.applied` or `config.refused`.
   */
  recordVerdict(
    key: AgentKey,
    revision: number,
    verdict: Omit<ConfigVerdict, "time" | "outcome"> & { outcome: "applied" | "refused" },
  ): Promise<void>;

  /** An agent's context entries, by key in code-unit order; none if there is no such agent. */
  contexts(key: AgentKey): Promise<ContextRecord[]>;

  /**
   * Sets one entry; a payload whose `context` is empty removes it. Errors: `not_found`, `too_many` (MAX_CONTEXTS).
   * Resolves with the version that the entry now has, never one it had before. Audit: `context.push` with the key's name alone.
   */
  putContext(
    key: AgentKey,
    entry: Pick<ContextRecord, "key" | "payload">,
    actor: Actor,
  ): Promise<ContextRecord>;

  /**
   * Puts back what was before a refused entry (undefined: nothing), unless the entry has another version than the refused one by
   * now. Answers whether it did. Audit: `context.refused`.
   */
  restoreContext(key: AgentKey, refused: ContextRecord, before: ContextRecord | undefined): Promise<boolean>;

  /** Closes the database; what was under way ends first. Twice is once. */
  close(): Promise<void>;
}

/**
 * Why the store did not do it: the agent `exists` or is `not_found`, another revision is current (`revision_conflict`), the
 * context is full (`too_many`), another live agent has the CID or address (`address_taken`), the agent has another etag
 * (`etag_conflict`), the database failed
 * (`unavailable`).
 */
export type StoreErrorCode =
  | "exists"
  | "not_found"
  | "revision_conflict"
  | "too_many"
  | "address_taken"
  | "etag_conflict"
  | "unavailable";

/** An error of the store. Tell them apart by `code`, never by the message. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  /** With `revision_conflict`: the revision that is current. */
  readonly currentRevision: number | undefined;
  /** With `unavailable`: why, if that is known. */
  readonly trouble: StoreTrouble | undefined;

  constructor(
    code: StoreErrorCode,
    message: string,
    options: { cause?: unknown; currentRevision?: number; trouble?: StoreTrouble | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.currentRevision = options.currentRevision;
    this.trouble = options.trouble;
  }

  /** The error itself if it is a StoreError, otherwise `unavailable` with the error as its cause. `name` is the store's, for the message. */
  static from(reason: unknown, name = "", trouble?: StoreTrouble): StoreError {
    if (reason instanceof StoreError) return reason;
    const what = name === "" ? "the store" : `the store ${name}`;
    const how = trouble === "full" ? "has no room left on its disk: make room there" : "failed";
    return new StoreError("unavailable", `${what} ${how}: ${errorText(reason)}`, { cause: reason, trouble });
  }
}
