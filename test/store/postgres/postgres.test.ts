import { Kysely, PostgresDialect } from "kysely";
import { Client, Pool } from "pg";
import { describe } from "vitest";
import { postgresTypes } from "../../../src/store/schema/column-types.ts";
import { migratePostgresStore, openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import { missingPostgres, startPostgres } from "../../helpers/postgres.ts";
import { postgresTests } from "../suite/suite-postgres.ts";
import { storeSuite } from "../suite/suite.ts";

const missing = missingPostgres();
const server = missing === undefined ? await startPostgres() : undefined;

/** Databases that tests are done with, emptied: that takes a tenth of the time in which another one is made. */
const free: string[] = [];

async function empty(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    // In this role the triggers that guard the audit log are silent.
    await client.query("set session_replication_role = replica");
    await client.query("truncate agents, configs, contexts, keys, audit");
  } finally {
    await client.end();
  }
}

describe.skipIf(server === undefined)(`PostgreSQL ${missing ?? ""}`, () => {
  storeSuite("PostgreSQL", async (start) => {
    if (server === undefined) throw new Error("the server is gone");
    const old = start === "empty" ? undefined : free.pop();
    const url = old ?? server.url(await server.createDatabase());
    if (old === undefined && start !== "empty") await migratePostgresStore(url);
    return {
      types: postgresTypes,
      emptying: [
        "truncate audit",
        "insert into audit overriding system value values ($1, 0, '', '', '', '', '', '') on conflict (sequence) do update set subject = 'nobody'",
      ],
      open: () => openPostgresStore(url),
      connect: () =>
        new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: url }) }) }),
      async remove() {
        if (start === "empty") return;
        await empty(url);
        free.push(url);
      },
    };
  });

  postgresTests(server);
});
