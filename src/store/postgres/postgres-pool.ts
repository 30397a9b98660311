import type { PostgresPool, PostgresPoolClient } from "kysely";
import { DatabaseError, type Pool, type PoolClient } from "pg";

/** What holds for the statements of a store. */
export interface StatementRules {
  /** Longest statement, milliseconds; 0: no bound. */
  readonly statementMs: number;
  /** Longest pause of a transaction whose client is gone, milliseconds. */
  readonly abandonedMs: number;
  /**
   * True if connections keep no setting, as behind PgBouncer: a statement outside of a transaction gets one of its own, so that it
   * has a bound too.
   */
  readonly isPooled: boolean;
}

/**
 * A pool that never hands out a connection of unknown state again: after an error that the server did not report (no answer in
 * time, the socket broke) an answer may still be under way, and the next query would wait behind it. Nothing is set for longer than
 * a transaction: behind a pooler the next one may be on another connection, and this connection another program's.
 */
export function carefulPool(pool: Pool, rules: StatementRules): PostgresPool {
  // Without listeners a connection that breaks, idle or not, ends the process. Whoever uses it next, or now, gets the error.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  const known = new WeakMap<PoolClient, PostgresPoolClient>();
  return {
    options: pool.options,
    async connect() {
      const client = await pool.connect();
      const careful = known.get(client) ?? carefulClient(client, rules);
      known.set(client, careful);
      return careful;
    },
    end: () => pool.end(),
  };
}

/**
 * A server may be set to answer before a commit is on disk (`off`); what the store acknowledged must be there after a crash. Every
 * other level is the operator's choice.
 */
function beginning({ statementMs, abandonedMs }: StatementRules): string {
  return `begin; set local statement_timeout = ${statementMs};
    set local idle_in_transaction_session_timeout = ${abandonedMs};
    select set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') = 'off'`;
}

type Query = (sql: string, parameters: readonly unknown[]) => Promise<unknown>;

function carefulClient(client: PoolClient, rules: StatementRules): PostgresPoolClient {
  let isBroken = false;
  let isInTransaction = false;
  const send: Query = async (sql, parameters) => {
    try {
      const result: unknown = await client.query(sql, [...parameters]);
      // Of several statements it is the last one that was asked for.
      return Array.isArray(result) ? result.at(-1) : result;
    } catch (error) {
      isBroken ||= !(error instanceof DatabaseError);
      throw error;
    }
  };
  const begin = async (): Promise<unknown> => {
    try {
      const result = await send(beginning(rules), []);
      isInTransaction = true;
      return result;
    } catch (error) {
      isBroken = true; // Nobody ends the transaction that it may have begun.
      throw error;
    }
  };
  const end = async (sql: string): Promise<unknown> => {
    isInTransaction = false;
    // It would wait behind what got no answer. The server rolls back when the connection is given up, which is next.
    if (isBroken && sql === "rollback") return { command: "ROLLBACK", rows: [] };
    return send(sql, []);
  };
  const alone: Query = async (sql, parameters) => {
    await begin();
    try {
      const result = await send(sql, parameters);
      await end("commit");
      return result;
    } catch (error) {
      await end("rollback").catch(() => (isBroken = true));
      throw error;
    }
  };
  /** Kysely says these three words in lower case and alone. */
  const query: Query = (sql, parameters) => {
    if (sql === "begin") return begin();
    if (sql === "commit" || sql === "rollback") return end(sql);
    return rules.isPooled && !isInTransaction ? alone(sql, parameters) : send(sql, parameters);
  };
  return {
    // The dialect is given no cursor, so this is the only form that Kysely calls.
    query: query as PostgresPoolClient["query"],
    // The pool gives the client another `release` each time.
    release: (destroy = false) => client.release(destroy || isBroken),
  };
}
