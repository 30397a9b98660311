import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { Kysely } from "kysely";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sqliteTypes } from "../../../src/store/schema/column-types.ts";
import type { Schema } from "../../../src/store/schema/schema.ts";
import { nodeSqliteDialect } from "../../../src/store/sqlite/sqlite-dialect.ts";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";
import { StoreError } from "../../../src/store/store.ts";
import { storeSuite } from "../suite/suite.ts";

const key = { tenant: "acme", id: "a1" };
const ann = { subject: "ann", credential: "key:k1" };
const agent = { ...key, status: "RUNNING", vsockCid: 0, address: "" } as const;

storeSuite("SQLite", () => {
  const folder = mkdtempSync(join(tmpdir(), "valinor-store-"));
  const path = join(folder, "valinor.db");
  return Promise.resolve({
    types: sqliteTypes,
    emptying: [
      "insert or replace into audit values ($1, 0, '', 'nobody', '', 'denied', '', '{}')",
      "insert into audit values ($1, 0, '', '', '', '', '', '') on conflict do update set subject = 'nobody'",
    ],
    open: () => openSqliteStore(path),
    connect: () => new Kysely<Schema>({ dialect: nodeSqliteDialect(new DatabaseSync(path)) }),
    remove: () => Promise.resolve(rmSync(folder, { recursive: true })),
  });
});

describe("a SQLite store's file", () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "valinor-store-"));
    path = join(folder, "new", "valinor.db");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function create(): Promise<void> {
    const store = await openSqliteStore(path);
    await store.createAgent(agent, ann);
    await store.close();
  }

  test("is made with its folder and belongs to its owner alone, side files included", async () => {
    const store = await openSqliteStore(path);
    await store.createAgent(agent, ann);
    const names = readdirSync(dirname(path)).toSorted();
    expect(names).toEqual(["valinor.db", "valinor.db-shm", "valinor.db-wal"]);
    for (const name of names) expect(statSync(join(dirname(path), name)).mode & 0o777).toBe(0o600);
    await store.close();
    chmodSync(path, 0o644);
    await (await openSqliteStore(path)).close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("is not needed for :memory:, and two stores in memory are two", async () => {
    const [one, two] = [await openSqliteStore(":memory:"), await openSqliteStore(":memory:")];
    await one.createAgent(agent, ann);
    expect(await two.getAgent(key)).toBeUndefined();
    await Promise.all([one.close(), two.close()]);
  });

  test("uses write-ahead logging", async () => {
    await create();
    const database = new DatabaseSync(path);
    expect(database.prepare("pragma journal_mode").get()).toEqual({ journal_mode: "wal" });
    database.close();
  });

  test("may be opened, and made, by two stores at once", async () => {
    const stores = await Promise.all([openSqliteStore(path), openSqliteStore(path)]);
    await stores[0].createAgent(agent, ann);
    expect(await stores[1].getAgent(key)).toMatchObject(key);
    await Promise.all(stores.map((store) => store.close()));
  });

  test("of a newer version is refused with the name of what is new", async () => {
    await create();
    change("insert into kysely_migration values ('9999_future', '2100-01-01T00:00:00.000Z')");
    expect(await refusal()).toContain("a newer version of valinor wrote it (its schema has 9999_future)");
  });

  test("without one of its tables is refused", async () => {
    await create();
    change("drop table contexts");
    expect(await refusal()).toContain("its schema is damaged: no such table: contexts");
  });

  test("of another program is refused and left as it was", async () => {
    await create();
    rmSync(path);
    change("create table configs (theirs text)");
    expect(await refusal()).toContain(
      'its schema cannot be brought up to date: table "configs" already exists',
    );
    const database = new DatabaseSync(path);
    expect(database.prepare("select name from sqlite_master where name = 'agents'").get()).toBeUndefined();
    database.close();
  });

  test("that is no database is refused", async () => {
    await create();
    writeFileSync(path, "not a database, but long enough to be taken for one\n".repeat(100));
    expect(await refusal()).toContain("file is not a database");
  });

  test("whose folder cannot be made is refused", async () => {
    writeFileSync(join(folder, "new"), "a file");
    expect(await refusal()).toContain("EEXIST");
  });

  test("that is locked by another writer makes a write wait without stopping the process", async () => {
    const store = await openSqliteStore(path);
    const other = new DatabaseSync(path);
    other.exec("begin immediate");
    const creation = store.createAgent(agent, ann);
    setTimeout(() => other.exec("commit"), 50);
    await creation;
    expect(await store.getAgent(key)).toMatchObject(key);
    other.close();
    await store.close();
  });

  test("that is locked by another writer for too long makes a write unavailable, and it works again after", async () => {
    const store = await openSqliteStore(path);
    const other = new DatabaseSync(path);
    other.exec("begin immediate");
    await expect(store.createAgent(agent, ann)).rejects.toMatchObject({
      code: "unavailable",
      cause: expect.objectContaining({ errcode: 5 }) as unknown,
    });
    expect(await store.getAgent(key)).toBeUndefined();
    other.exec("rollback");
    other.close();
    await store.createAgent(agent, ann);
    await store.close();
  });

  test("may make a transaction fail half-way: the write is unavailable, nothing of it stays, the store goes on", async () => {
    const store = await openSqliteStore(path);
    await store.createAgent(agent, ann);
    const next = (expectedRevision: number) => ({
      config: {},
      policy: { mode: "all", tools: [] } as const,
      sha256: "0".repeat(64),
      actor: ann,
      rollbackOf: 0,
      expectedRevision,
    });
    // As a full disk does: SQLite itself rolls the transaction back, after the agent's row was written.
    change("create trigger full before insert on configs begin select raise(rollback, 'full'); end");
    await expect(store.putConfig(key, next(0))).rejects.toMatchObject({
      code: "unavailable",
      cause: expect.objectContaining({ message: "full" }) as unknown,
    });
    expect(await store.getAgent(key)).toMatchObject({ configRevision: 1 });
    change("drop trigger full");
    await store.putConfig(key, next(1));
    await store.close();
  });

  test("keeps every acknowledged write of a process that was killed", async () => {
    const writer = spawn(process.execPath, [fileURLToPath(new URL("../writer.ts", import.meta.url)), path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exit = once(writer, "exit");
    let acknowledged = 0;
    for await (const line of createInterface({ input: writer.stdout })) {
      acknowledged = Number(line);
      if (acknowledged === 150) writer.kill("SIGKILL");
    }
    expect((await exit)[1]).toBe("SIGKILL");
    const store = await openSqliteStore(path);
    const current = await store.currentConfig(key);
    expect(acknowledged).toBeGreaterThanOrEqual(150);
    // One more may have been written whose acknowledgement the kill cut off.
    expect([acknowledged, acknowledged + 1]).toContain(current?.revision);
    expect((await store.getAgent(key))?.configRevision).toBe(current?.revision);
    await store.close();
  });

  function change(sql: string): void {
    const database = new DatabaseSync(path);
    database.exec(sql);
    database.close();
  }

  /** The message of the error that opening the store gives, behind the part that names the file. */
  async function refusal(): Promise<string> {
    const error: unknown = await openSqliteStore(path).then(
      (store) => store.close(),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: "unavailable" });
    const start = `cannot open the store ${path}: `;
    expect((error as StoreError).message.slice(0, start.length)).toBe(start);
    return (error as StoreError).message.slice(start.length);
  }
});
