import type { Kysely, Transaction } from "kysely";
import type { Actor } from "../audit.ts";
import { audit } from "./audit-queries.ts";
import type { KeyRecord, KeyStore, NewKey } from "../keys.ts";
import { keyOf } from "./rows.ts";
import type { Schema } from "../schema/schema.ts";
import { storable } from "./storable.ts";
import { StoreError } from "../store.ts";

const MINUTE_MS = 60_000;

/** KeyStore.createKey, in a transaction of its own. */
export async function createKey(trx: Transaction<Schema>, key: NewKey, actor: Actor): Promise<KeyRecord> {
  if ((await findKey(trx, key.id)) !== undefined) throw new StoreError("exists", `key ${key.id} exists`);
  const row = {
    id: key.id,
    tenant: key.tenant,
    subject: storable(key.subject),
    permissions: JSON.stringify(key.permissions),
    sha256: key.sha256,
    label: storable(key.label),
    create_time: Date.now(),
    expire_time: key.expireTime?.getTime() ?? null,
    revoke_time: null,
    last_used_time: null,
  };
  await trx.insertInto("keys").values(row).execute();
  await audit(trx, actor, "key.create", key, {
    id: row.id,
    subject: row.subject,
    permissions: [...key.permissions],
    label: row.label,
    expire_time: key.expireTime?.toISOString() ?? null,
  });
  return keyOf(row);
}

/** KeyStore.findKey. */
export async function findKey(db: Kysely<Schema>, id: string): Promise<KeyRecord | undefined> {
  const row = await db.selectFrom("keys").selectAll().where("id", "=", storable(id)).executeTakeFirst();
  return row && keyOf(row);
}

/** KeyStore.listKeys. */
export async function listKeys(
  db: Kysely<Schema>,
  page: Parameters<KeyStore["listKeys"]>[0],
): Promise<KeyRecord[]> {
  const { tenant, afterId, limit } = page;
  let query = db.selectFrom("keys").selectAll().where("id", ">", afterId);
  if (tenant !== undefined) query = query.where("tenant", "=", tenant);
  return (await query.orderBy("id").limit(limit).execute()).map(keyOf);
}

/** KeyStore.revokeKey, in a transaction of its own. */
export async function revokeKey(trx: Transaction<Schema>, id: string, actor: Actor): Promise<boolean> {
  const key = await trx
    .updateTable("keys")
    .set({ revoke_time: Date.now() })
    .where("id", "=", storable(id))
    .where("revoke_time", "is", null)
    .returning("tenant")
    .executeTakeFirst();
  if (key === undefined) return false;
  await audit(trx, actor, "key.revoke", key, { id });
  return true;
}

/** KeyStore.touchKey, in a transaction of its own. */
export async function touchKey(trx: Transaction<Schema>, id: string, time: Date): Promise<void> {
  const minute = Math.floor(time.getTime() / MINUTE_MS) * MINUTE_MS;
  await trx
    .updateTable("keys")
    .set({ last_used_time: minute })
    .where("id", "=", id)
    .where((where) => where.or([where("last_used_time", "is", null), where("last_used_time", "<", minute)]))
    .execute();
}
