import { Kysely, PostgresDialect } from "kysely";
import { Pool } from "pg";
import { postgresTypes } from "../../../src/store/schema/column-types.ts";
import { migratePostgresStore, openPostgresStore } from "../../../src/store/postgres/postgres.ts";
import type { TestPostgres } from "../../helpers/postgres.ts";
import { sql } from "../../helpers/sql.ts";
import type { CreateDatabase } from "./suite-database.ts";

/**
 * Makes the databases of the store's suite on a server; a database that a test is done with is emptied and used again. The store
 * reaches it at what `through` makes of its URL.
 */
export function postgresDatabases(
  server: TestPostgres | undefined,
  through: (url: string) => string | Promise<string> = (url) => url,
): CreateDatabase {
  const free: string[] = [];
  return async (start) => {
    if (server === undefined) throw new Error("the server is gone");
    const old = start === "empty" ? undefined : free.pop();
    const url = old ?? server.url(await server.createDatabase());
    const at = await through(url);
    if (old === undefined && start !== "empty") await migratePostgresStore(at);
    return {
      types: postgresTypes,
      emptying: [
        "truncate audit",
        "insert into audit overriding system value values ($1, 0, '', '', '', '', '', '') on conflict (sequence) do update set subject = 'nobody'",
      ],
      open: () => openPostgresStore(at),
      connect: () =>
        new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: url }) }) }),
      async remove() {
        if (start === "empty") return;
        // In this role the triggers that guard the audit log are silent.
        await sql(
          url,
          "set session_replication_role = replica; truncate agents, configs, contexts, keys, audit",
        );
        free.push(url);
      },
    };
  };
}
