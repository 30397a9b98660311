import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, test, vi } from "vitest";
import { AgentProxy } from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { dbBackup, dbMigrate, dbRestore } from "../../../cli/server/db.ts";
import { CliError } from "../../../cli/terminal/errors.ts";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";
import { tempDir } from "../../helpers/cleanup.ts";
import { spawnValinor } from "../../helpers/process.ts";
import { agent, ann, config, key } from "../records.ts";

/** A folder with a store of one agent, as `valinor serve` would be told of it by its environment. */
async function makeStore() {
  const folder = tempDir();
  const path = join(folder, "valinor.db");
  const env = { VALINOR_STORE_URL: `sqlite:${path}` };
  const store = await openSqliteStore(path);
  await store.createAgent(agent(), ann);
  await store.putConfig(key, config());
  await store.close();
  return { folder, path, env, file: join(folder, "saved.db") };
}

/** What a command prints. */
async function printed(command: () => Promise<void>): Promise<string> {
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  try {
    await command();
    return write.mock.calls.map(([text]) => text).join("");
  } finally {
    write.mockRestore();
  }
}

/** The message that a command fails with. */
async function failure(command: Promise<void>): Promise<{ message: string; exitCode: number }> {
  const error: unknown = await command.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CliError);
  return error as CliError;
}

describe("valinor db backup", () => {
  test("saves a store that a server writes to: all up to one moment, nothing by half", async () => {
    const { folder, path, env, file } = await makeStore();
    const server = spawnValinor(["serve", "--port", "0"], {
      env: { ...env, VALINOR_PROXY_CONFIG_TIMEOUT: "0.05" },
    });
    const [, baseUrl = ""] = await server.waitFor(/"url":"(http:[^"]+)"/);
    const transport = createConnectTransport({ baseUrl, httpVersion: "1.1" });
    const [registry, proxy] = [createClient(AgentRegistry, transport), createClient(AgentProxy, transport)];
    const pushed = new Map<string, number>();
    const done = new AbortController();
    const writing = Promise.all(
      ["x", "y", "z"].map(async (id) => {
        await registry.createAgent({ agent: { id } });
        for (let n = 1; !done.signal.aborted; n++) {
          await proxy.pushConfig({ agentId: id, config: { n } });
          pushed.set(id, n);
        }
      }),
    );
    await vi.waitFor(() => expect(pushed.size).toBe(3), 10_000);
    const before = new Map(pushed);
    expect(await printed(() => dbBackup(file, {}, env))).toBe(`saved ${path} to ${file}\n`);
    done.abort();
    await writing;
    expect(statSync(file).mode & 0o777).toBe(0o600);

    // The server is killed, its store lost, and the saved one put in its place.
    server.kill("SIGKILL");
    await server.exited;
    expect(await printed(() => dbRestore(file, { force: true }, env))).toBe(
      `restored ${path} from ${file}\n`,
    );
    expect(readdirSync(folder).toSorted()).toEqual(["saved.db", "valinor.db"]);
    const store = await openSqliteStore(path);
    expect(await store.currentConfig(key)).toMatchObject({ revision: 2, config: { model: "m" } });
    const entries = await store.listAudit({ after: 0, limit: 100_000 });
    const tenant = (await store.allAgents({ limit: 9 })).find(({ id }) => id === "x")?.tenant ?? "";
    for (const [id, n] of before) {
      const current = await store.currentConfig({ tenant, id });
      expect(current?.config["n"]).toBeGreaterThanOrEqual(n);
      expect(current?.config["n"]).toBeLessThanOrEqual(pushed.get(id) ?? 0);
      const pushes = entries.filter(({ action, agentId }) => action === "config.push" && agentId === id);
      expect(pushes).toHaveLength((current?.revision ?? 0) - 1);
    }
    await store.close();
  });

  test("never writes over a file, and leaves nothing if it fails", async () => {
    const { folder, env, file } = await makeStore();
    writeFileSync(file, "mine");
    expect((await failure(dbBackup(file, {}, env))).message).toContain("is there already: name a new file");
    const nowhere = join(folder, "none", "saved.db");
    expect((await failure(dbBackup(nowhere, {}, env))).message).toContain("ENOENT");
    const missing = { VALINOR_STORE_URL: `sqlite:${folder}/none.db` };
    expect(await failure(dbBackup(join(folder, "new.db"), {}, missing))).toMatchObject({ exitCode: 1 });
    expect(readdirSync(folder).toSorted()).toEqual(["saved.db", "valinor.db"]);
  });

  test("of PostgreSQL is its own tool's: the command is told, without the password", async () => {
    const env = { VALINOR_STORE_URL: "postgres://u:hunter2@db.example:5433/valinor" };
    for (const [command, tool] of [
      [dbBackup("it's.dump", {}, env), "pg_dump"],
      [dbRestore("it's.dump", {}, env), "pg_restore"],
    ] as const) {
      const { message, exitCode } = await failure(command);
      expect(exitCode).toBe(2);
      expect(message).toContain(tool);
      expect(message).toContain("postgres://db.example:5433/valinor");
      expect(message).toContain("'it'\\''s.dump'");
      expect(message).not.toContain("hunter2");
    }
  });
});

describe("valinor db restore", () => {
  test("makes a store if there is none, and its owner's alone", async () => {
    const { folder, env, file } = await makeStore();
    await printed(() => dbBackup(file, {}, env));
    const other = join(folder, "other.db");
    await printed(() => dbRestore(file, {}, { VALINOR_STORE_URL: `sqlite:${other}` }));
    expect(statSync(other).mode & 0o777).toBe(0o600);
    const store = await openSqliteStore(other);
    expect(await store.currentConfig(key)).toMatchObject({ revision: 2 });
    await store.close();
    expect(existsSync(file)).toBe(true);
  });

  test("replaces a store only when told to, and never while it is in use", async () => {
    const { path, env, file } = await makeStore();
    await printed(() => dbBackup(file, {}, env));
    expect((await failure(dbRestore(file, {}, env))).message).toContain("add --force to replace it");
    const store = await openSqliteStore(path);
    await store.putConfig(key, config());
    expect((await failure(dbRestore(file, { force: true }, env))).message).toContain("is in use");
    expect(await store.putConfig(key, config())).toMatchObject({ revision: 4 });
    await store.close();
    await printed(() => dbRestore(file, { force: true }, env));
    const restored = await openSqliteStore(path);
    expect(await restored.currentConfig(key)).toMatchObject({ revision: 2 });
    await restored.close();
  });

  test("replaces a damaged store, log and all", async () => {
    const { path, env, file } = await makeStore();
    await printed(() => dbBackup(file, {}, env));
    writeFileSync(path, "damaged".repeat(1_000));
    writeFileSync(`${path}-wal`, "left over");
    await printed(() => dbRestore(file, { force: true }, env));
    const store = await openSqliteStore(path);
    expect(await store.currentConfig(key)).toMatchObject({ revision: 2 });
    await store.close();
  });

  test.each([
    ["is damaged", (file: string) => writeFileSync(file, "damaged".repeat(1_000)), "file is not a database"],
    [
      "is another program's",
      (file: string) => new DatabaseSync(file).exec("create table t (a)"),
      "not a store of Valinor",
    ],
    [
      "is in use",
      (file: string) => writeFileSync(`${file}-wal`, "pages"),
      "a database in use, and no backup",
    ],
  ])("refuses a file that %s, and leaves the store as it was", async (_, make, text) => {
    const { folder, path, env } = await makeStore();
    const file = join(folder, "other.db");
    writeFileSync(file, "");
    make(file);
    expect((await failure(dbRestore(file, { force: true }, env))).message).toContain(text);
    const store = await openSqliteStore(path);
    expect(await store.currentConfig(key)).toMatchObject({ revision: 2 });
    await store.close();
    expect(readdirSync(folder).filter((name) => name.includes("restoring"))).toEqual([]);
  });

  test("refuses a file of a newer version", async () => {
    const { env, file } = await makeStore();
    await printed(() => dbBackup(file, {}, env));
    const newer = new DatabaseSync(file);
    newer.exec("insert into kysely_migration values ('9999_future', '2100-01-01T00:00:00.000Z')");
    newer.close();
    expect((await failure(dbRestore(file, { force: true }, env))).message).toContain(
      "a newer version of valinor",
    );
  });
});

describe("valinor db migrate", () => {
  test("says what it did, and that there is nothing to do", async () => {
    const path = join(tempDir(), "valinor.db");
    const env = { VALINOR_STORE_URL: `sqlite:${path}` };
    expect(await printed(() => dbMigrate({}, env))).toBe(
      `${path}: did 0001_agents, 0002_keys_audit; it is up to date now\n`,
    );
    expect(await printed(() => dbMigrate({}, env))).toBe(`${path} is up to date\n`);
  });

  test("fails with the reason if the store cannot be opened, or the configuration is wrong", async () => {
    const path = join(tempDir(), "valinor.db");
    writeFileSync(path, "damaged".repeat(1_000));
    const { message, exitCode } = await failure(dbMigrate({}, { VALINOR_STORE_URL: `sqlite:${path}` }));
    expect([message, exitCode]).toEqual([`cannot open the store ${path}: file is not a database`, 1]);
    expect(await failure(dbMigrate({}, { VALINOR_STORE_URL: "mysql:x" }))).toMatchObject({ exitCode: 2 });
  });
});
