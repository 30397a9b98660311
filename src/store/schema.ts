import type { ColumnType } from "kysely";

/** A 64-bit column: PostgreSQL's driver reads it as text. */
type Integer = ColumnType<number | string, number, number>;

/**
 * The tables as Kysely sees them. JSON is kept as text and times as numbers, so that every database holds the same.
 */
export interface Schema {
  agents: AgentsTable;
  configs: ConfigsTable;
  contexts: ContextsTable;
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
}

/** One row an entry. */
export interface ContextsTable {
  tenant: string;
  agent_id: string;
  key: string;
  /** JSON text. */
  payload: string;
  update_time: Integer;
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
  ],
  contexts: ["tenant", "agent_id", "key", "payload", "update_time"],
} as const satisfies { [T in keyof Schema]: readonly (keyof Schema[T])[] };
