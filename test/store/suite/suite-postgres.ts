import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { migrateStore, openStore, storeName } from "../../../src/store/open.ts";
import { openPostgresStore, type PostgresOptions } from "../../../src/store/postgres/postgres.ts";
import { type Store, StoreError } from "../../../src/store/store.ts";
import type { TestPostgres } from "../../helpers/postgres.ts";
import { sql } from "../../helpers/sql.ts";
import { startTcpSwitch } from "../../helpers/tcp-switch.ts";
import { until } from "../../helpers/until.ts";
import { agent, ann, apiKey, config, entry, key } from "../records.ts";

const unavailable = { name: "StoreError", code: "unavailable" };

/** What is special to PostgreSQL: its server is another program, which may be away, slow, or set up in another way. */
export function postgresTests(started: TestPostgres | undefined): void {
  // If there is none, no test runs.
  const server = started as TestPostgres;
  let database: string;
  let url: string;
  const open: Store[] = [];
  const clients: Client[] = [];

  beforeEach(async () => {
    database = await server.createDatabase();
    url = server.url(database);
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end()));
    await Promise.all(open.splice(0).map((store) => store.close()));
  });

  async function openStoreHere(options: PostgresOptions = {}, at = url): Promise<Store> {
    const store = await openPostgresStore(at, options);
    open.push(store);
    return store;
  }

  /** A connection beside the store's. */
  async function connectHere(): Promise<Client> {
    const client = new Client({ connectionString: url });
    client.on("error", () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  }

  /** The message of the error that opening a store gives. */
  async function refusal(at: string): Promise<string> {
    const error: unknown = await openPostgresStore(at).then(
      (store) => store.close(),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject(unavailable);
    const text = `${(error as StoreError).message}\n${(error as StoreError).stack}\n${JSON.stringify(error)}`;
    for (const secret of ["p4ss-w0rd", "hunter2"]) expect(text).not.toContain(secret);
    return (error as StoreError).message;
  }

  describe("a store that cannot be opened", () => {
    test("names host and database, and never the password", async () => {
      const { port } = new URL(url);
      expect(await refusal(`postgres://u:hunter2@127.0.0.1:1/nowhere`)).toContain(
        "cannot open the store postgres://127.0.0.1:1/nowhere: connect ECONNREFUSED",
      );
      const wrong = url.replace(/:[^:@]+@/, ":hunter2@");
      expect(await refusal(wrong)).toContain(
        `postgres://127.0.0.1:${port}/${database}: password authentication failed`,
      );
      expect(await refusal(server.url("none"))).toContain('database "none" does not exist');
      expect(await refusal("postgres://u:hunter2@[::1/x")).toContain("cannot be read");
      expect(await storeName({ kind: "postgres", url: wrong })).toBe(
        `postgres://127.0.0.1:${port}/${database}`,
      );
    });

    test("of a newer version is refused with the name of what is new", async () => {
      expect(await migrateStore({ kind: "postgres", url })).toEqual(["0001_agents", "0002_keys_audit"]);
      expect(await migrateStore({ kind: "postgres", url })).toEqual([]);
      const client = await connectHere();
      await client.query("insert into kysely_migration values ('9999_future', '2100-01-01')");
      expect(await refusal(url)).toContain(
        "a newer version of valinor wrote it (its schema has 9999_future)",
      );
    });

    test("is damaged if a table of it is gone", async () => {
      await migrateStore({ kind: "postgres", url });
      await (await connectHere()).query("drop table contexts");
      expect(await refusal(url)).toContain('its schema is damaged: relation "contexts" does not exist');
    });

    test("has an encoding that cannot hold every text", async () => {
      const client = await connectHere();
      await client.query(
        `create database latin_${database} encoding 'LATIN1' locale_provider libc locale 'C' template template0`,
      );
      expect(await refusal(server.url(`latin_${database}`))).toContain("its encoding is LATIN1");
    });
  });

  test("servers that start at once on an empty database all work", async () => {
    const stores = await Promise.all(Array.from({ length: 4 }, () => openStoreHere()));
    await stores[0]?.createAgent(agent(), ann);
    for (const store of stores) expect(await store.getAgent(key)).toMatchObject(key);
  });

  test("is opened by its location", async () => {
    const store = await openStore({ kind: "postgres", url });
    open.push(store);
    await store.createAgent(agent(), ann);
    expect(await store.getAgent(key)).toMatchObject(key);
  });

  test("commits are on disk before they are acknowledged, even if the server is set otherwise", async () => {
    await openStoreHere();
    const client = await connectHere();
    await client.query(`alter database ${database} set synchronous_commit = off`);
    await client.query(`create table seen (setting text);
      create function note() returns trigger language plpgsql as
        $$ begin insert into seen values (current_setting('synchronous_commit')); return new; end $$;
      create trigger note before insert on agents for each row execute function note()`);
    const store = await openStoreHere();
    await store.createAgent(agent(), ann);
    expect((await client.query("select setting from seen")).rows).toEqual([{ setting: "on" }]);
  });

  describe("transactions that meet", () => {
    test("and end in a deadlock are run again", async () => {
      const store = await openStoreHere();
      for (const id of ["a1", "a2"]) await store.createAgent(agent({ id }), ann);
      const client = await connectHere();
      // This one never looks for a deadlock: the store, which does after a second, is the one whose transaction ends.
      await client.query("set deadlock_timeout = '1min'");
      await client.query("begin");
      await client.query("update agents set etag = etag where id = 'a2'");
      const deletion = store.deleteTenant("acme", ann);
      const other = await connectHere();
      await until("the deletion waits", async () => {
        const waiting = "select 1 from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'";
        return (await other.query(waiting, [database])).rowCount;
      });
      await client.query("update agents set etag = etag where id = 'a1'");
      await client.query("commit");
      expect(await deletion).toEqual({ agents: 2, keys: 0 });
      const entries = await store.listAudit({ after: 0, limit: 9 });
      expect(entries.filter(({ action }) => action === "tenant.delete")).toHaveLength(1);
    });

    test("and cannot be told apart from one after the other are run again", async () => {
      await openStoreHere();
      const client = await connectHere();
      await client.query(`alter database ${database} set default_transaction_isolation = 'serializable'`);
      const stores = await Promise.all([openStoreHere(), openStoreHere(), openStoreHere()]);
      await stores[0]?.createAgent(agent(), ann);
      await Promise.all(stores.map((store) => store.putConfig(key, config())));
      expect(await stores[0]?.getAgent(key)).toMatchObject({ configRevision: 4 });
    });
  });

  describe("a server that does not answer", () => {
    test("because a lock is held makes a write unavailable in time, and it works again after", async () => {
      const store = await openStoreHere({ statementMs: 200 });
      await store.createAgent(agent(), ann);
      const client = await connectHere();
      await client.query("begin");
      await client.query("lock table agents");
      await expect(store.putConfig(key, config())).rejects.toMatchObject(unavailable);
      await client.query("rollback");
      expect(await store.putConfig(key, config())).toMatchObject({ revision: 2 });
    });

    test("because every connection is taken makes a call unavailable in time", async () => {
      const store = await openStoreHere({ maxConnections: 2, connectMs: 1_500 });
      await Promise.all([store.allAgents({ limit: 1 }), store.allAgents({ limit: 1 })]);
      const client = await connectHere();
      await client.query("begin");
      await client.query("lock table agents");
      const waiting = [store.allAgents({ limit: 1 }), store.allAgents({ limit: 1 })];
      await expect(store.allAgents({ limit: 1 })).rejects.toMatchObject(unavailable);
      await client.query("rollback");
      expect(await Promise.all(waiting)).toEqual([[], []]);
    });

    test("at all makes a call unavailable in time, and no later call gets the late answer", async () => {
      const proxy = await startTcpSwitch(Number(new URL(url).port));
      const through = new URL(url);
      through.port = String(proxy.port);
      const store = await openStoreHere({ statementMs: 200, connectMs: 2_000 }, through.href);
      await store.createAgent(agent(), ann);
      proxy.hold();
      const began = performance.now();
      await expect(store.getAgent(key)).rejects.toMatchObject(unavailable);
      await expect(store.getAgent(key)).rejects.toMatchObject(unavailable);
      expect(performance.now() - began).toBeLessThan(10_000);
      proxy.release();
      expect(await store.currentConfig(key)).toMatchObject({ revision: 1 });
      expect(await store.getAgent(key)).toMatchObject(key);
    });

    test("because it ended the connections makes one more at most, and crashes nothing", async () => {
      const store = await openStoreHere();
      await store.createAgent(agent(), ann);
      await Promise.all(Array.from({ length: 5 }, () => store.getAgent(key)));
      const client = await connectHere();
      const end =
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()";
      await client.query(end, [database]);
      await until("the store has other connections", () => store.getAgent(key));
      expect(await store.putConfig(key, config())).toMatchObject({ revision: 2 });
    });

    test("because it crashed loses no acknowledged write, and it goes on when the server is back", async () => {
      const store = await openStoreHere();
      await store.createAgent(agent(), ann);
      let acknowledged = 1;
      const writing = (async () => {
        for (;;) acknowledged = (await store.putConfig(key, config())).revision;
      })();
      await until("it writes", () => acknowledged > 20);
      server.stop("immediate");
      await expect(writing).rejects.toMatchObject(unavailable);
      await expect(store.getAgent(key)).rejects.toMatchObject(unavailable);
      server.start();
      const current = await until("it answers again", () => store.currentConfig(key));
      expect([acknowledged, acknowledged + 1]).toContain(current.revision);
      expect((await store.getAgent(key))?.configRevision).toBe(current.revision);
      await store.putConfig(key, config({ expectedRevision: current.revision }));
    });
  });

  test("what pg_dump saved, pg_restore brings back: agents, log and all that guards it", async () => {
    const store = await openStoreHere();
    await store.createAgent(agent({ vsockCid: 7 }), ann);
    await store.putConfig(key, config({ policy: { mode: "listed", tools: ["t"] } }));
    await store.putContext(key, { key: "k", payload: { context: "text" } }, ann);
    await store.createKey(apiKey(), ann);
    const file = `${database}.dump`;
    server.run("pg_dump", ["--format=custom", `--file=${file}`, url]);
    const other = server.url(await server.createDatabase());
    // As docs/operations.md has it: over a database that a server made already.
    await migrateStore({ kind: "postgres", url: other });
    const how = ["--clean", "--if-exists", "--no-owner", "--single-transaction"];
    server.run("pg_restore", [...how, `--dbname=${other}`, file]);
    const restored = await openStoreHere({}, other);
    const all = async (from: Store) => [
      await from.allAgents({ limit: 9 }),
      await from.listConfigs(key, { before: 0, limit: 9 }),
      await from.contexts(key),
      await from.listKeys({ afterId: "", limit: 9 }),
      await from.listAudit({ after: 0, limit: 9 }),
    ];
    const before = await all(store);
    expect(await all(restored)).toEqual(before);
    await restored.appendAudit([entry()]);
    const [, , , , log = []] = await all(restored);
    expect(log).toHaveLength(5);
    await expect(restored.createAgent(agent({ id: "x", vsockCid: 7 }), ann)).rejects.toMatchObject({
      code: "address_taken",
    });
    await expect(sql(other, "delete from audit")).rejects.toThrow("append-only");
  });
}
