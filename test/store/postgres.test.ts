import { describe } from "vitest";
import { openPostgresStore } from "../../src/store/postgres.ts";
import { missingPostgres, startPostgres } from "../helpers/postgres.ts";
import { storeSuite } from "./suite.ts";

const missing = missingPostgres();
const server = missing === undefined ? await startPostgres() : undefined;

describe.skipIf(server === undefined)(`PostgreSQL ${missing ?? ""}`, () => {
  storeSuite("PostgreSQL", async () => {
    const url = server?.url(await server.createDatabase()) ?? "";
    return { open: () => openPostgresStore(url), remove: () => Promise.resolve() };
  });
});
