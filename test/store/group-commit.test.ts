import { DatabaseSync } from "node:sqlite";
import { Kysely, sql, type Transaction } from "kysely";
import { describe, expect, it } from "vitest";
import { GroupCommit } from "../../src/store/group-commit.ts";
import type { Schema } from "../../src/store/schema/schema.ts";
import { nodeSqliteDialect } from "../../src/store/sqlite/sqlite-dialect.ts";

/** A database with a table of numbers, and what it was told. */
function open() {
  const database = new DatabaseSync(":memory:");
  database.exec("create table numbers (n integer primary key)");
  const statements: string[] = [];
  const db = new Kysely<Schema>({
    dialect: nodeSqliteDialect(database),
    log: ({ query }) => void statements.push(query.sql.split(" ")[0] ?? ""),
  });
  const commits = new GroupCommit(db);
  const commit = <T>(operation: (trx: Transaction<Schema>) => Promise<T>) => commits.run(operation);
  const put = (n: number) => commit(async (trx) => void (await insert(trx, n)));
  const numbers = () =>
    database
      .prepare("select n from numbers order by n")
      .all()
      .map(({ n }) => n);
  return { commit, put, numbers, database, statements };
}

const insert = (trx: Transaction<Schema>, n: number) => sql`insert into numbers values (${n})`.execute(trx);

describe("writes that come together", () => {
  it("are committed together", async () => {
    const { put, numbers, statements } = open();
    await Promise.all([1, 2, 3].map(put));
    expect(numbers()).toEqual([1, 2, 3]);
    expect(statements.filter((word) => word === "begin")).toHaveLength(1);
    await put(4);
    expect(statements.filter((word) => word === "begin")).toHaveLength(2);
  });

  it("are undone one by one: what fails leaves nothing, and the others stay", async () => {
    const { put, commit, numbers } = open();
    const failing = commit(async (trx) => {
      await insert(trx, 8);
      throw new Error("no");
    });
    const results = await Promise.allSettled([put(1), failing, put(1), put(2)]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
    expect(numbers()).toEqual([1, 2]);
  });

  it("see what those before them did", async () => {
    const { put, commit } = open();
    const count = commit(async (trx) => (await sql`select n from numbers`.execute(trx)).rows.length);
    expect(
      (await Promise.all([count, put(1), commit(async (trx) => insert(trx, 2)).then(() => count)]))[0],
    ).toBe(0);
  });

  it("are tried one by one if the whole transaction fails", async () => {
    const { put, commit, numbers, database } = open();
    // As SQLite does by itself if the disk is full.
    const fatal = commit(async () => {
      database.exec("rollback");
      throw new Error("the disk is full");
    });
    const results = await Promise.allSettled([put(1), fatal, put(2)]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(numbers()).toEqual([1, 2]);
  });
});
