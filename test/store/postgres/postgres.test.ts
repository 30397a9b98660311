import { describe } from "vitest";
import { missingPostgres, startPostgres } from "../../helpers/postgres.ts";
import { postgresDatabases } from "../suite/postgres-database.ts";
import { postgresTests } from "../suite/suite-postgres.ts";
import { storeSuite } from "../suite/suite.ts";

const missing = missingPostgres();
const server = missing === undefined ? await startPostgres() : undefined;

describe.skipIf(server === undefined)(`PostgreSQL ${missing ?? ""}`, () => {
  storeSuite("PostgreSQL", postgresDatabases(server));

  postgresTests(server);
});
