import type { ColumnType } from "kysely";

/** A 64-bit column: PostgreSQL's driver reads it as text. */
type Integer = ColumnType<number | string, number, number>;

/** The same for a column that may be null. */
type OptionalInteger = ColumnType<number | string | null, number | null, number | null>;

/**
 * The tables as Kysely sees them. JSON is kept as text and times as numbers, so that every database holds the same.
 */
export interface Schema {
  agents: AgentsTable;
  configs: ConfigsTable;
  contexts: ContextsTable;
  keys: KeysTable;
  audit: AuditTable;
}

/** One row an agent. */
export interface AgentsTable {
  tenant: string;
  id: string;
  /** AgentState. */
  status: string;
  /** 0: none. */
  vsock_cid: Integer;
  /** Empty: none. */
  address: string;
  etag: string;
  /** Milliseconds since 1970, as every time here. */
  create_time: Integer;
  update_time: Integer;
  config_revision: Integer;
}

/** One row a kept revision. */
export interface ConfigsTable {
  tenant: string;
  agent_id: string;
  revision: Integer;
  /** JSON text. */
  config: string;
  policy_mode: string;
  /** JSON text: an array of strings. */
  policy_tools: string;
  sha256: string;
  author: string;
  create_time: Integer;
  /** 0: none. */
  rollback_of: ColumnType<number | string, number | undefined, number>;
  /** ConfigVerdict, in four columns. */
  outcome: ColumnType<string, string | undefined, string>;
  outcome_reason: ColumnType<string, string | undefined, string>;
  outcome_boot: ColumnType<string, string | undefined, string>;
  outcome_time: OptionalInteger;
}

/** One row an entry. */
export interface ContextsTable {
  tenant: string;
  agent_id: string;
  key: string;
  /** JSON text. */
  payload: string;
  update_time: Integer;
  /** Empty in rows from before there were versions. */
  version: string;
}

/** One row an API key. */
export interface KeysTable {
  id: string;
  tenant: string;
  subject: string;
  /** JSON text: an array of strings. */
  permissions: string;
  sha256: string;
  label: string;
  create_time: Integer;
  expire_time: OptionalInteger;
  revoke_time: OptionalInteger;
  last_used_time: OptionalInteger;
}

/** One row an entry. The database refuses to change or remove any. */
export interface AuditTable {
  /** Given by the database. */
  sequence: ColumnType<number | string, never, never>;
  time: Integer;
  tenant: string;
  subject: string;
  credential: string;
  action: string;
  agent_id: string;
  /** JSON text. */
  detail: string;
}

/** Every column, for the check that the schema is whole. */
export const columns = {
  agents: [
    "tenant",
    "id",
    "status",
    "vsock_cid",
    "address",
    "etag",
    "create_time",
    "update_time",
    "config_revision",
  ],
  configs: [
    "tenant",
    "agent_id",
    "revision",
    "config",
    "policy_mode",
    "policy_tools",
    "sha256",
    "author",
    "create_time",
    "rollback_of",
    "outcome",
    "outcome_reason",
    "outcome_boot",
    "outcome_time",
  ],
  contexts: ["tenant", "agent_id", "key", "payload", "update_time", "version"],
  keys: [
    "id",
    "tenant",
    "subject",
    "permissions",
    "sha256",
    "label",
    "create_time",
    "expire_time",
    "revoke_time",
    "last_used_time",
  ],
  audit: ["sequence", "time", "tenant", "subject", "credential", "action", "agent_id", "detail"],
} as const satisfies { [T in keyof Schema]: readonly (keyof Schema[T])[] };
