import type { JsonObject } from "@bufbuild/protobuf";

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

/** One revision of an agent's configuration. */
export interface ConfigRecord {
  readonly revision: number;
  readonly config: JsonObject;
  readonly policy: ToolPolicyRecord;
  /** configDigest of config and policy. */
  readonly sha256: string;
  /** Who pushed it. */
  readonly author: string;
  readonly createTime: Date;
}

/** One entry of an agent's context. */
export interface ContextRecord {
  /** Name of the entry; empty: the default entry. */
  readonly key: string;
  /** The client's whole object: `context`, `key`, and keys of its own. */
  readonly payload: JsonObject;
  readonly updateTime: Date;
}

/** A configuration to be stored. */
export interface NewConfig {
  readonly config: JsonObject;
  readonly policy: ToolPolicyRecord;
  readonly author: string;
  /** Revision that must be the current one; 0: any. */
  readonly expectedRevision: number;
}

/** Most entries in an agent's context. */
export const MAX_CONTEXTS = 64;

/** Revisions of an agent's configuration that are kept, the current one included: older ones go when a new one comes. */
export const KEPT_REVISIONS = 100;

/**
 * What the control plane must not lose. A write is on disk before its promise resolves. Every method rejects with StoreError,
 * `unavailable` where the database failed.
 */
export interface Store {
  /** Adds an agent with configuration revision 1: `{}`, all tools. Errors: `exists`, `address_taken`. */
  createAgent(agent: NewAgent, author: string): Promise<AgentRecord>;

  getAgent(key: AgentKey): Promise<AgentRecord | undefined>;

  /** A tenant's agents with ids after `afterId` (empty: from the first), in code-unit order. */
  listAgents(tenant: string, page: { afterId: string; limit: number }): Promise<AgentRecord[]>;

  /** Agents of every tenant, by tenant and id in code-unit order. */
  allAgents(page: { after?: AgentKey; limit: number }): Promise<AgentRecord[]>;

  /** Removes an agent with its configurations and contexts, all or nothing. False where there was none. */
  deleteAgent(key: AgentKey): Promise<boolean>;

  /** The desired configuration; undefined where there is no such agent. */
  currentConfig(key: AgentKey): Promise<ConfigRecord | undefined>;

  /** Stores a new revision, also where nothing differs. Errors: `not_found`, `revision_conflict`. */
  putConfig(key: AgentKey, next: NewConfig): Promise<ConfigRecord>;

  /** An agent's context entries, by key in code-unit order; none where there is no such agent. */
  contexts(key: AgentKey): Promise<ContextRecord[]>;

  /**
   * Sets one entry; a payload whose `context` is empty removes it. Errors: `not_found`, `too_many` (MAX_CONTEXTS).
   */
  putContext(key: AgentKey, entry: Pick<ContextRecord, "key" | "payload">): Promise<void>;

  /** Closes the database; what was under way ends first. Twice is once. */
  close(): Promise<void>;
}

/**
 * Why the store did not do it: the agent `exists` or is `not_found`, another revision is current (`revision_conflict`), the
 * context is full (`too_many`), another live agent has the CID or address (`address_taken`), the database failed
 * (`unavailable`).
 */
export type StoreErrorCode =
  | "exists"
  | "not_found"
  | "revision_conflict"
  | "too_many"
  | "address_taken"
  | "unavailable";

/** An error of the store. Tell them apart by `code`, never by the message. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;
  /** With `revision_conflict`: the revision that is current. */
  readonly currentRevision: number | undefined;

  constructor(
    code: StoreErrorCode,
    message: string,
    options: { cause?: unknown; currentRevision?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.currentRevision = options.currentRevision;
  }

  /** The error itself where it is one, otherwise `unavailable` with itself as the cause. */
  static from(reason: unknown): StoreError {
    if (reason instanceof StoreError) return reason;
    const text = reason instanceof Error ? reason.message : String(reason);
    return new StoreError("unavailable", `the store failed: ${text}`, { cause: reason });
  }
}
