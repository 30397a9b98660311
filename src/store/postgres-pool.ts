import type { PostgresPool, PostgresPoolClient } from "kysely";
import { DatabaseError, type Pool, type PoolClient } from "pg";

/** A server may be set to answer before a commit is on disk; what the store acknowledged must be there after a crash. */
const DURABLE_COMMITS = `select set_config('synchronous_commit', 'on', false)
  where current_setting('synchronous_commit') = 'off'`;

/**
 * A pool that never hands out a connection of unknown state again: after an error that the server did not report (no answer in
 * time, the socket broke) an answer may still be under way, and the next query would wait behind it.
 */
export function carefulPool(pool: Pool): PostgresPool {
  // Without listeners a connection that breaks, idle or not, ends the process. Whoever uses it next, or now, gets the error.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  const known = new WeakMap<PoolClient, PostgresPoolClient>();
  return {
    options: pool.options,
    async connect() {
      const client = await pool.connect();
      const careful = known.get(client) ?? carefulClient(client);
      if (!known.has(client)) await prepare(careful);
      known.set(client, careful);
      return careful;
    },
    end: () => pool.end(),
  };
}

function carefulClient(client: PoolClient): PostgresPoolClient {
  let isBroken = false;
  const query = async (sql: string, parameters: readonly unknown[]): Promise<unknown> => {
    try {
      return await client.query(sql, [...parameters]);
    } catch (error) {
      isBroken ||= !(error instanceof DatabaseError);
      throw error;
    }
  };
  return {
    // The dialect is given no cursor, so this is the only form that Kysely calls.
    query: query as PostgresPoolClient["query"],
    // The pool gives the client another `release` each time.
    release: (destroy = false) => client.release(destroy || isBroken),
  };
}

async function prepare(client: PostgresPoolClient): Promise<void> {
  try {
    await client.query(DURABLE_COMMITS, []);
  } catch (error) {
    client.release(true);
    throw error;
  }
}
