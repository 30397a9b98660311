import type { TestProject } from "vitest/node";
import { openStore } from "../../src/store/open.ts";
import { launchPostgres, missingPostgres, type TestPostgres } from "../helpers/postgres-server.ts";
import { sql } from "../helpers/sql.ts";
import { TEMPLATE } from "../helpers/test-store.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** URL of a server in which tests may make databases, without a database's name; empty: none. */
    postgresUrl: string;
  }
}

/** A database with the schema, which others are copied from: that is quicker than migrating each. */
async function makeTemplate(server: TestPostgres): Promise<void> {
  await sql(server.url("postgres"), `create database ${TEMPLATE}`);
  const store = await openStore({ kind: "postgres", url: server.url(TEMPLATE) });
  await store.close();
}

/** One server for all test files; each store gets a database of its own. */
export async function setup(project: TestProject): Promise<(() => void) | undefined> {
  const missing = missingPostgres();
  if (missing !== undefined) {
    process.stderr.write(`The tests on PostgreSQL are skipped: ${missing}.\n`);
    project.provide("postgresUrl", "");
    return undefined;
  }
  const server = await launchPostgres();
  await makeTemplate(server);
  project.provide("postgresUrl", server.url(""));
  return () => server.remove();
}
