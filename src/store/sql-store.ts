import type { Kysely } from "kysely";
import * as agents from "./agent-queries.ts";
import * as configs from "./config-queries.ts";
import * as contexts from "./context-queries.ts";
import type { Schema } from "./schema.ts";
import { type Store, StoreError } from "./store.ts";

/**
 * The store over any database that Kysely speaks to. Where queries must read before they write, they first write the agent's
 * own row: that locks it in every database, so that two writers go one after the other.
 */
export function createSqlStore(db: Kysely<Schema>): Store {
  let closed: Promise<void> | undefined;
  return {
    createAgent: (agent, author) =>
      guarded(() => db.transaction().execute((trx) => agents.createAgent(trx, agent, author))),
    getAgent: (key) => guarded(() => agents.getAgent(db, key)),
    listAgents: (tenant, page) => guarded(() => agents.listAgents(db, tenant, page)),
    allAgents: (page) => guarded(() => agents.allAgents(db, page)),
    deleteAgent: (key) => guarded(() => db.transaction().execute((trx) => agents.deleteAgent(trx, key))),
    currentConfig: (key) => guarded(() => configs.currentConfig(db, key)),
    putConfig: (key, next) =>
      guarded(() => db.transaction().execute((trx) => configs.putConfig(trx, key, next))),
    contexts: (key) => guarded(() => contexts.contexts(db, key)),
    putContext: (key, entry) =>
      guarded(() => db.transaction().execute((trx) => contexts.putContext(trx, key, entry))),
    close: () => (closed ??= guarded(() => close(db))),
  };
}

/** Waits its turn for a connection, so that a transaction under way in the only one ends first. */
async function close(db: Kysely<Schema>): Promise<void> {
  await db.connection().execute(() => Promise.resolve());
  await db.destroy();
}

/** Makes a failure of the database a StoreError `unavailable`. */
async function guarded<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw StoreError.from(error);
  }
}
