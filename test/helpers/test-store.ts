import { randomBytes } from "node:crypto";
import { openStore } from "../../src/store/open.ts";
import type { Store } from "../../src/store/store.ts";
import { sql } from "./sql.ts";

/** Whether this run keeps stores in PostgreSQL (`npm run test:postgres`); otherwise they are in SQLite's memory. */
export const onPostgres = process.env["VALINOR_TEST_STORE"] === "postgres";

/** Name of the database that test/postgres/setup.ts makes. */
export const TEMPLATE = "valinor_template";

/** URL of an empty store, for `store.url`. */
export async function testStoreUrl(): Promise<string> {
  if (!onPostgres) return "sqlite::memory:";
  // vitest can't be imported where the setup runs, which needs this file's names.
  const { inject } = await import("vitest");
  const base = inject("postgresUrl");
  if (base === "") throw new Error("there is no PostgreSQL here");
  const name = `t_${randomBytes(8).toString("hex")}`;
  await sql(`${base}postgres`, `create database ${name} template ${TEMPLATE}`);
  return `${base}${name}`;
}

/** Opens an empty store. */
export async function openTestStore(): Promise<Store> {
  const url = await testStoreUrl();
  return openStore(onPostgres ? { kind: "postgres", url } : { kind: "sqlite", path: ":memory:" });
}
