import { randomBytes } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Selectable } from "kysely";
import type { AuditAction, AuditEntry } from "../audit.ts";
import type { KeyRecord } from "../keys.ts";
import type { AgentsTable, AuditTable, ConfigsTable, ContextsTable, KeysTable } from "../schema/schema.ts";
import type {
  AgentRecord,
  AgentState,
  ConfigRecord,
  ConfigVerdict,
  ContextRecord,
  ToolPolicyRecord,
} from "../store.ts";

/** 64 random bits: an agent that is deleted and created again has none of its old etags. */
export function newEtag(): string {
  return randomBytes(8).toString("hex");
}

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
    rollbackOf: Number(row.rollback_of),
    verdict: {
      outcome: row.outcome as ConfigVerdict["outcome"],
      reason: row.outcome_reason,
      bootId: row.outcome_boot,
      time: timeOrNone(row.outcome_time),
    },
  };
}

/** A row of `contexts` as the store hands it out. */
export function contextOf(row: Selectable<ContextsTable>): ContextRecord {
  return {
    key: row.key,
    payload: JSON.parse(row.payload) as JsonObject,
    updateTime: timeOf(row.update_time),
    version: row.version,
  };
}

/** A row of `keys` as the store hands it out. */
export function keyOf(row: Selectable<KeysTable>): KeyRecord {
  return {
    id: row.id,
    tenant: row.tenant,
    subject: row.subject,
    permissions: JSON.parse(row.permissions) as string[],
    sha256: row.sha256,
    label: row.label,
    expireTime: timeOrNone(row.expire_time),
    createTime: timeOf(row.create_time),
    revokeTime: timeOrNone(row.revoke_time),
    lastUsedTime: timeOrNone(row.last_used_time),
  };
}

/** A row of `audit` as the store hands it out. */
export function auditEntryOf(row: Selectable<AuditTable>): AuditEntry {
  return {
    sequence: Number(row.sequence),
    time: timeOf(row.time),
    tenant: row.tenant,
    subject: row.subject,
    credential: row.credential,
    action: row.action as AuditAction,
    agentId: row.agent_id,
    detail: JSON.parse(row.detail) as JsonObject,
  };
}

function timeOrNone(milliseconds: number | string | null): Date | undefined {
  return milliseconds === null ? undefined : timeOf(milliseconds);
}

function timeOf(milliseconds: number | string): Date {
  return new Date(Number(milliseconds));
}
