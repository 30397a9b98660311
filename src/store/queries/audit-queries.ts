import type { JsonObject } from "@bufbuild/protobuf";
import type { Kysely, Transaction } from "kysely";
import type { Actor, AuditAction, AuditEntry, AuditStore, NewAuditEntry } from "../audit.ts";
import { auditEntryOf } from "./rows.ts";
import type { Schema } from "../schema/schema.ts";
import { storable } from "./storable.ts";

/** The actor of what no caller asked for. */
export const valinor: Actor = { subject: "valinor", credential: "valinor" };

/** Most rows in one statement: databases bound the parameters of one. */
const BATCH = 500;

/** AuditStore.appendAudit, in a transaction of its own. */
export async function appendAudit(
  trx: Transaction<Schema>,
  entries: readonly NewAuditEntry[],
): Promise<void> {
  const time = Date.now();
  for (let from = 0; from < entries.length; from += BATCH) {
    const rows = entries.slice(from, from + BATCH).map((entry) => ({
      time,
      tenant: storable(entry.tenant),
      subject: storable(entry.subject),
      credential: storable(entry.credential),
      action: entry.action,
      agent_id: storable(entry.agentId),
      detail: JSON.stringify(entry.detail),
    }));
    await trx.insertInto("audit").values(rows).execute();
  }
}

/**
 * Adds the entry of a change, in the change's own transaction and as its last statement: on PostgreSQL it takes a lock that every
 * other writer waits for.
 */
export async function audit(
  trx: Transaction<Schema>,
  actor: Actor,
  action: AuditAction,
  about: { readonly tenant: string; readonly agentId?: string },
  detail: JsonObject,
): Promise<void> {
  const { subject, credential } = actor;
  const { tenant, agentId = "" } = about;
  await appendAudit(trx, [{ tenant, subject, credential, action, agentId, detail }]);
}

/** AuditStore.listAudit. */
export async function listAudit(
  db: Kysely<Schema>,
  page: Parameters<AuditStore["listAudit"]>[0],
): Promise<AuditEntry[]> {
  const { after, limit, tenant, since, until } = page;
  let query = db.selectFrom("audit").selectAll().where("sequence", ">", after);
  if (tenant !== undefined) query = query.where("tenant", "=", tenant);
  if (since !== undefined) query = query.where("time", ">=", since.getTime());
  if (until !== undefined) query = query.where("time", "<", until.getTime());
  return (await query.orderBy("sequence").limit(limit).execute()).map(auditEntryOf);
}
