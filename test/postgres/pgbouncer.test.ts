import { Client } from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openPostgresStore } from "../../src/store/postgres/postgres.ts";
import type { Store } from "../../src/store/store.ts";
import { missingPgbouncer, startPgbouncer } from "../helpers/pgbouncer.ts";
import { missingPostgres, startPostgres } from "../helpers/postgres.ts";
import { until } from "../helpers/until.ts";
import { agent, ann, config, key } from "../store/records.ts";
import { postgresDatabases } from "../store/suite/postgres-database.ts";
import { storeSuite } from "../store/suite/suite.ts";

const missing = missingPostgres() ?? missingPgbouncer();
const server = missing === undefined ? await startPostgres() : undefined;
const base = server?.url("") ?? "";

/** Fewer connections than the store has: several of its own share one, one after the other. */
const FEW = ["default_pool_size = 3"];
const ways = {
  "session mode": async () => startPgbouncer(base, "session"),
  "transaction mode": async () => startPgbouncer(base, "transaction", FEW),
  "transaction mode, startup parameters ignored": async () =>
    startPgbouncer(base, "transaction", [
      ...FEW,
      "ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout",
    ]),
};

describe.skipIf(server === undefined).each(Object.entries(ways))(
  `through PgBouncer, %s ${missing ?? ""}`,
  (name, start) => {
    const started = server === undefined ? undefined : start();
    const through = async (url: string): Promise<string> => {
      const pgbouncer = await started;
      if (pgbouncer === undefined) throw new Error("PgBouncer is gone");
      return pgbouncer(url);
    };

    storeSuite(`PostgreSQL through PgBouncer, ${name}`, postgresDatabases(server, through));

    describe("the store", () => {
      let url: string;
      let stores: Store[] = [];
      let client: Client;

      beforeEach(async () => {
        if (server === undefined) throw new Error("the server is gone");
        url = server.url(await server.createDatabase());
        client = new Client({ connectionString: url });
        await client.connect();
      });
      afterEach(async () => {
        await client.end();
        await Promise.all(stores.splice(0).map((store) => store.close()));
      });

      const open = async (statementMs = 10_000): Promise<Store> => {
        const store = await openPostgresStore(await through(url), { statementMs });
        stores = [...stores, store];
        return store;
      };

      test("of several servers that start at once on an empty database works in each", async () => {
        const opened = await Promise.all([open(), open(), open()]);
        await opened[0].createAgent(agent(), ann);
        for (const store of opened) expect(await store.getAgent(key)).toMatchObject(key);
      });

      test("ends a read and a write that wait for a lock, on the server as well", async () => {
        const store = await open(300);
        await store.createAgent(agent(), ann);
        await client.query("begin; lock table agents");
        await Promise.all([
          expect(store.getAgent(key)).rejects.toMatchObject({ code: "unavailable" }),
          expect(store.putConfig(key, config())).rejects.toMatchObject({ code: "unavailable" }),
        ]);
        const waiting =
          "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        await until("nothing waits any more", async () => (await client.query(waiting)).rowCount === 0);
        await client.query("rollback");
        expect(await store.putConfig(key, config())).toMatchObject({ revision: 2 });
      });

      test("leaves no setting and no lock behind for the next program on its connections", async () => {
        const store = await open(4_321);
        await store.createAgent(agent(), ann);
        await Promise.all(Array.from({ length: 8 }, () => store.putConfig(key, config())));
        const other = new Client({ connectionString: await through(url) });
        await other.connect();
        try {
          for (let n = 0; n < 8; n++) {
            const { rows } = await other.query("select current_setting('statement_timeout') as timeout");
            expect(rows).toEqual([{ timeout: "0" }]);
          }
        } finally {
          await other.end();
        }
        const locks =
          "select 1 from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())";
        await until("no lock is left", async () => (await client.query(locks)).rowCount === 0);
      });
    });
  },
);
