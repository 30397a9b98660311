import { type Expression, type ExpressionBuilder, type Kysely, type SqlBool, sql } from "kysely";
import { agentOf } from "./rows.ts";
import type { Schema } from "../schema/schema.ts";
import { storable } from "./storable.ts";
import type { AgentCondition, AgentKey, AgentMark, AgentRecord, Store } from "../store.ts";

const columnOf = { id: "id", status: "status", vsockCid: "vsock_cid", address: "address" } as const;

/** Store.listAgents. */
export async function listAgents(
  db: Kysely<Schema>,
  tenant: string,
  page: Parameters<Store["listAgents"]>[1],
): Promise<AgentRecord[]> {
  const { afterId, limit, filter = [] } = page;
  const rows = await db
    .selectFrom("agents")
    .selectAll()
    .where("tenant", "=", tenant)
    .where("id", ">", afterId)
    .where((where) => where.and(filter.map((condition) => holds(where, condition))))
    .orderBy("id")
    .limit(limit)
    .execute();
  return rows.map(agentOf);
}

/** Prefixes are compared by substr: `like` ignores case in SQLite, and reads `%` and `_` in its pattern. */
function holds(where: ExpressionBuilder<Schema, "agents">, condition: AgentCondition): Expression<SqlBool> {
  const { field, op } = condition;
  const column = columnOf[field];
  const value = typeof condition.value === "string" ? storable(condition.value) : condition.value;
  switch (op) {
    case "eq":
      return where(column, "=", value);
    case "ne":
      return where(column, "<>", value);
    case "prefix":
    case "notPrefix": {
      const text = String(value);
      const start = sql<string>`substr(${sql.ref(column)}, 1, ${sql.lit(Array.from(text).length)})`;
      return where(start, op === "prefix" ? "=" : "<>", text);
    }
  }
}

/** Store.allAgents. */
export async function allAgents(
  db: Kysely<Schema>,
  page: { after?: AgentKey; limit: number },
): Promise<AgentRecord[]> {
  const rows = await db
    .selectFrom("agents")
    .selectAll()
    .where((where) => follows(where, page.after))
    .orderBy("tenant")
    .orderBy("id")
    .limit(page.limit)
    .execute();
  return rows.map(agentOf);
}

/** Store.agentMarks. */
export async function agentMarks(
  db: Kysely<Schema>,
  page: { after?: AgentKey; limit: number },
): Promise<AgentMark[]> {
  return db
    .selectFrom("agents")
    .select(["tenant", "id", "etag"])
    .where((where) => follows(where, page.after))
    .orderBy("tenant")
    .orderBy("id")
    .limit(page.limit)
    .execute();
}

/** Both databases find the place in the primary key by a comparison of rows. */
function follows(
  where: ExpressionBuilder<Schema, "agents">,
  after: AgentKey | undefined,
): Expression<SqlBool> {
  if (after === undefined) return where.and([]);
  return where(where.refTuple("tenant", "id"), ">", where.tuple(after.tenant, after.id));
}
