import type { Transaction } from "kysely";
import { lockAgent } from "./agent-lock.ts";
import { audit, valinor } from "./audit-queries.ts";
import { currentConfig, insertConfig, pruneConfigs } from "./config-rows.ts";
import { newEtag } from "./rows.ts";
import type { Schema } from "../schema/schema.ts";
import { storable, storableReason } from "./storable.ts";
import {
  type AgentKey,
  type AgentRecord,
  type ConfigRecord,
  type NewConfig,
  type Store,
  StoreError,
} from "../store.ts";

/** Revisions are numbers of 32 bits on the link. */
const MAX_REVISION = 0xffffffff;

/** Numbers that raiseRevision leaves for pushes: a guest that names the highest one must not end an agent's life. */
const SPARE_REVISIONS = 2 ** 20;

/** Store.putConfig, in a transaction of its own. */
export async function putConfig(
  trx: Transaction<Schema>,
  key: AgentKey,
  next: NewConfig,
): Promise<ConfigRecord> {
  const agent = await lockAgent(trx, key);
  refuseOtherRevision(agent, next.expectedRevision);
  const before = await requireCurrent(trx, key);
  const { config, policy, sha256, actor, rollbackOf } = next;
  const record = await advance(trx, key, {
    revision: agent.configRevision + 1,
    config,
    policy,
    sha256,
    rollbackOf,
    author: storable(actor.subject),
    createTime: new Date(),
  });
  await audit(trx, actor, rollbackOf === 0 ? "config.push" : "config.rollback", about(key), {
    ...shown(record),
    before: shown(before),
    ...(rollbackOf === 0 ? {} : { rollback_of: rollbackOf }),
  });
  return record;
}

function refuseOtherRevision(agent: AgentRecord, expected: number): void {
  const current = agent.configRevision;
  if (expected !== 0 && expected !== current) {
    const text = `revision ${expected} was expected, and ${current} is current`;
    throw new StoreError("revision_conflict", text, { currentRevision: current });
  }
  if (current >= MAX_REVISION) {
    throw new StoreError("too_many", `agent ${agent.id} has no revision above ${current} left`);
  }
}

/** Store.raiseRevision, in a transaction of its own. The revision that was current stays among the kept ones. */
export async function raiseRevision(
  trx: Transaction<Schema>,
  key: AgentKey,
  above: number,
): Promise<ConfigRecord> {
  const agent = await lockAgent(trx, key);
  const current = await requireCurrent(trx, key);
  if (agent.configRevision > above) return current;
  if (MAX_REVISION - above < SPARE_REVISIONS) {
    throw new StoreError("too_many", `too few revisions are left above ${above} for agent ${key.id}`);
  }
  const { verdict: _, ...content } = current;
  const record = await advance(trx, key, { ...content, revision: above + 1, createTime: new Date() });
  await audit(trx, valinor, "config.raise", about(key), { ...shown(record), before: shown(current) });
  return record;
}

/** Makes a new revision the current one. */
async function advance(
  trx: Transaction<Schema>,
  key: AgentKey,
  next: Omit<ConfigRecord, "verdict">,
): Promise<ConfigRecord> {
  const record = await insertConfig(trx, key, next);
  await trx
    .updateTable("agents")
    .set({ config_revision: next.revision, etag: newEtag(), update_time: next.createTime.getTime() })
    .where("tenant", "=", key.tenant)
    .where("id", "=", key.id)
    .execute();
  await pruneConfigs(trx, key);
  return record;
}

async function requireCurrent(trx: Transaction<Schema>, key: AgentKey): Promise<ConfigRecord> {
  const current = await currentConfig(trx, key);
  if (current === undefined) throw new Error(`agent ${key.id} has no current configuration`);
  return current;
}

/** Store.recordVerdict, in a transaction of its own. */
export async function recordVerdict(
  trx: Transaction<Schema>,
  key: AgentKey,
  revision: number,
  verdict: Parameters<Store["recordVerdict"]>[2],
): Promise<void> {
  const row = {
    outcome: verdict.outcome,
    outcome_reason: storableReason(verdict.reason),
    outcome_boot: storableReason(verdict.bootId),
  };
  const result = await trx
    .updateTable("configs")
    .set({ ...row, outcome_time: Date.now() })
    .where("tenant", "=", key.tenant)
    .where("agent_id", "=", key.id)
    .where("revision", "=", revision)
    .where((where) =>
      where.or([
        where("outcome", "<>", row.outcome),
        where("outcome_reason", "<>", row.outcome_reason),
        where("outcome_boot", "<>", row.outcome_boot),
      ]),
    )
    .executeTakeFirst();
  if (result.numUpdatedRows === 0n) return;
  // The guest's reason is a text of its own making, which may quote a message: it is no matter for the audit log.
  const boot = /^[\w.:-]{1,64}$/.test(row.outcome_boot) ? row.outcome_boot : "";
  const detail = { revision, boot_id: boot };
  await audit(trx, valinor, `config.${verdict.outcome}`, about(key), detail);
}

function about(key: AgentKey): { tenant: string; agentId: string } {
  return { tenant: key.tenant, agentId: key.id };
}

function shown(record: ConfigRecord): { revision: number; sha256: string } {
  return { revision: record.revision, sha256: record.sha256 };
}
