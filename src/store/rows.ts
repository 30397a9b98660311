import type { JsonObject } from "@bufbuild/protobuf";
import type { Selectable } from "kysely";
import type { AgentsTable, ConfigsTable, ContextsTable } from "./schema.ts";
import type { AgentRecord, AgentState, ConfigRecord, ContextRecord, ToolPolicyRecord } from "./store.ts";

/** A row of `agents` as the store hands it out. */
export function agentOf(row: Selectable<AgentsTable>): AgentRecord {
  return {
    tenant: row.tenant,
    id: row.id,
    status: row.status as AgentState,
    vsockCid: Number(row.vsock_cid),
    address: row.address,
    etag: row.etag,
    createTime: timeOf(row.create_time),
    updateTime: timeOf(row.update_time),
    configRevision: Number(row.config_revision),
  };
}

/** A row of `configs` as the store hands it out. */
export function configOf(row: Selectable<ConfigsTable>): ConfigRecord {
  return {
    revision: Number(row.revision),
    config: JSON.parse(row.config) as JsonObject,
    policy: {
      mode: row.policy_mode as ToolPolicyRecord["mode"],
      tools: JSON.parse(row.policy_tools) as string[],
    },
    sha256: row.sha256,
    author: row.author,
    createTime: timeOf(row.create_time),
  };
}

/** A row of `contexts` as the store hands it out. */
export function contextOf(row: Selectable<ContextsTable>): ContextRecord {
  return {
    key: row.key,
    payload: JSON.parse(row.payload) as JsonObject,
    updateTime: timeOf(row.update_time),
  };
}

function timeOf(milliseconds: number | string): Date {
  return new Date(Number(milliseconds));
}
