import { setTimeout as delay } from "node:timers/promises";
import type { Transaction } from "kysely";
import * as creation from "./queries/agent-creation.ts";
import * as lists from "./queries/agent-lists.ts";
import * as agents from "./queries/agent-queries.ts";
import * as audit from "./queries/audit-queries.ts";
import * as configs from "./queries/config-queries.ts";
import * as rows from "./queries/config-rows.ts";
import * as contexts from "./queries/context-queries.ts";
import type { Engine } from "./engine.ts";
import * as keys from "./queries/key-queries.ts";
import type { Schema } from "./schema/schema.ts";
import { type Store, StoreError } from "./store.ts";

/** Runs of one transaction, the first included. */
const ATTEMPTS = 5;

/** Longest pause before another run, milliseconds; half of it on average, so that two that met do not meet again. */
const PAUSE_MS = 40;

/**
 * The store over any database that Kysely speaks to. Queries that must read before they write first write the agent's own row: that
 * locks it in every database, so that two writers go one after the other.
 */
export function createSqlStore(engine: Engine): Store {
  const { db } = engine;
  const runner = new Runner(engine);
  const read = <T>(operation: () => Promise<T>) => runner.read(operation);
  const write = <T>(operation: Operation<T>) => runner.write(operation);
  return {
    createAgent: (agent, actor) => write((trx) => creation.createAgent(trx, agent, actor)),
    async createAgents(list, actor) {
      const known = await read(() => creation.knownAgents(db, list));
      // Nothing is written, and nobody waits for the lock, if all are there: at nearly every start.
      if (list.every((key) => known.has(creation.nameOf(key)))) return list.map(creation.exists);
      return write((trx) => creation.createAgents(trx, list, actor));
    },
    getAgent: (key) => read(() => agents.getAgent(db, key)),
    listAgents: (tenant, page) => read(() => lists.listAgents(db, tenant, page)),
    allAgents: (page) => read(() => lists.allAgents(db, page)),
    agentMarks: (page) => read(() => lists.agentMarks(db, page)),
    updateAgent: (key, changes, etag, actor) =>
      write((trx) => agents.updateAgent(trx, key, changes, etag, actor)),
    deleteAgent: (key, actor) => runner.erase((trx) => agents.deleteAgent(trx, key, actor), Boolean),
    deleteTenant: (tenant, actor) =>
      runner.erase(
        (trx) => agents.deleteTenant(trx, tenant, actor),
        ({ agents: count, keys: keyCount }) => count + keyCount > 0,
      ),
    currentConfig: (key) => read(() => rows.currentConfig(db, key)),
    getConfig: (key, revision) => read(() => rows.getConfig(db, key, revision)),
    listConfigs: (key, page) => read(() => rows.listConfigs(db, key, page)),
    putConfig: (key, next) => write((trx) => configs.putConfig(trx, key, next)),
    raiseRevision: (key, above) => write((trx) => configs.raiseRevision(trx, key, above)),
    recordVerdict: (key, revision, verdict) =>
      write((trx) => configs.recordVerdict(trx, key, revision, verdict)),
    contexts: (key) => read(() => contexts.contexts(db, key)),
    putContext: (key, entry, actor) => write((trx) => contexts.putContext(trx, key, entry, actor)),
    restoreContext: (key, refused, before) =>
      write((trx) => contexts.restoreContext(trx, key, refused, before)),
    createKey: (key, actor) => write((trx) => keys.createKey(trx, key, actor)),
    findKey: (id) => read(() => keys.findKey(db, id)),
    listKeys: (page) => read(() => keys.listKeys(db, page)),
    revokeKey: (id, actor) => write((trx) => keys.revokeKey(trx, id, actor)),
    touchKey: (id, time) => write((trx) => keys.touchKey(trx, id, time)),
    appendAudit: (entries) => write((trx) => audit.appendAudit(trx, entries)),
    listAudit: (page) => read(() => audit.listAudit(db, page)),
    close: () => runner.close(),
  };
}

/** Something that is done in a transaction. */
type Operation<T> = (trx: Transaction<Schema>) => Promise<T>;

/** Runs a store's operations, until it is closed. */
class Runner {
  readonly #engine: Engine;
  readonly #underWay = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  read<T>(operation: () => Promise<T>): Promise<T> {
    return this.#run("read", () => this.#engine.read(operation));
  }

  write<T>(operation: Operation<T>): Promise<T> {
    return this.#run("write", () => retried(this.#engine, operation));
  }

  /** A write that may delete something, as `isDeleted` tells of its result: what was deleted is wiped from the disk. */
  async erase<T>(operation: Operation<T>, isDeleted: (result: T) => boolean): Promise<T> {
    const result = await this.write(async (trx) => {
      const outcome = await operation(trx);
      if (isDeleted(outcome)) await this.#engine.beforeDeleted(trx);
      return outcome;
    });
    if (isDeleted(result)) this.#engine.deleted();
    return result;
  }

  /** Store.close. */
  close(): Promise<void> {
    return (this.#closed ??= guarded(this.#engine, "write", () => close(this.#engine, this.#underWay)));
  }

  async #run<T>(what: "read" | "write", operation: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined)
      throw new StoreError("unavailable", `the store ${this.#engine.name} is closed`);
    const running = guarded(this.#engine, what, operation);
    this.#underWay.add(running);
    try {
      return await running;
    } finally {
      this.#underWay.delete(running);
    }
  }
}

/** Every operation has an end: locks and statements are waited for so long at most. */
async function close(engine: Engine, underWay: ReadonlySet<Promise<unknown>>): Promise<void> {
  await Promise.allSettled(underWay);
  await engine.close();
}

async function retried<T>(engine: Engine, operation: Operation<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await engine.transaction(operation);
    } catch (error) {
      if (attempt === ATTEMPTS || !engine.mayRetry(error)) throw error;
    }
    await delay(Math.random() * PAUSE_MS);
  }
}

/** Makes a failure of the database a StoreError `unavailable`, and notes it. */
async function guarded<T>(engine: Engine, what: "read" | "write", operation: () => Promise<T>): Promise<T> {
  try {
    const result = await operation();
    engine.troubles.worked(what);
    return result;
  } catch (thrown) {
    const error = StoreError.from(thrown, engine.name, engine.troubleOf(thrown));
    // That the files are gone was told by whoever looks after them.
    const isNew = error.code === "unavailable" && error.trouble !== "gone";
    if (isNew) engine.troubles.failed(what, error.message);
    throw error;
  }
}
