import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { loadConfig } from "../../../src/config.ts";
import { startServer } from "../../../src/server.ts";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";
import type { Store } from "../../../src/store/store.ts";
import type { StoreNews } from "../../../src/store/troubles.ts";
import { afterFile, tempDir } from "../../helpers/cleanup.ts";
import { until } from "../../helpers/until.ts";
import { agent, ann, config, key } from "../records.ts";

const gone = { name: "StoreError", code: "unavailable", trouble: "gone" };

async function open() {
  const folder = tempDir();
  const path = join(folder, "valinor.db");
  const news: StoreNews[] = [];
  const store: Store = await openSqliteStore(path, (item) => news.push(item));
  afterFile(() => store.close());
  await store.createAgent(agent(), ann);
  return { folder, path, store, news };
}

test.each(["", "-wal", "-shm"])(
  "a store whose file valinor.db%s was removed says so by itself",
  async (ending) => {
    const { path, store, news } = await open();
    rmSync(`${path}${ending}`);
    const [item] = await until("it is told", () => (news.length > 0 ? news : undefined));
    expect(item).toMatchObject({ what: "file", works: false });
    expect(item?.detail).toContain(`${path}${ending} was removed or replaced`);
    await expect(store.putConfig(key, config())).rejects.toMatchObject(gone);
    // It is told once for all of it.
    await expect(store.putConfig(key, config())).rejects.toMatchObject(gone);
    expect(news.filter(({ what }) => what === "file")).toHaveLength(1);
  },
);

test.each(["", "-wal"])(
  "a write into a file valinor.db%s that was removed just before is refused",
  async (ending) => {
    const { path, store } = await open();
    rmSync(`${path}${ending}`);
    await expect(store.putConfig(key, config())).rejects.toMatchObject(gone);
  },
);

test("a store whose file was replaced refuses to write, and writes again once its own is back", async () => {
  const { path, store, news } = await open();
  renameSync(path, `${path}.away`);
  writeFileSync(path, "");
  await expect(store.putConfig(key, config())).rejects.toMatchObject(gone);
  renameSync(`${path}.away`, path);
  expect(await store.putConfig(key, config())).toMatchObject({ revision: 2 });
  expect(news.filter(({ what }) => what === "file").map(({ works }) => works)).toEqual([false, true]);
});

test("a store whose folder was moved refuses to write, and makes no other file there", async () => {
  const { folder, path, store } = await open();
  renameSync(folder, `${folder}-moved`);
  await expect(store.deleteAgent(key, ann)).rejects.toMatchObject(gone);
  await store.close();
  expect(existsSync(path)).toBe(false);
  renameSync(`${folder}-moved`, folder);
});

test("what was to be wiped when the file was removed is wiped from no new file", async () => {
  const { folder, path, store, news } = await open();
  await store.deleteAgent(key, ann);
  rmSync(path);
  await until("it is told", () => news.some(({ what }) => what === "wipe" || what === "file"));
  await store.close();
  expect(readdirSync(folder)).not.toContain("valinor.db");
});

test("a server whose store's file was removed is not ready, and tells clients and log why", async () => {
  const path = join(tempDir(), "valinor.db");
  const log: string[] = [];
  const settings = loadConfig({
    env: {},
    flags: { server: { port: 0 }, store: { url: `sqlite:${path}` } },
    mode: "dev",
  });
  const server = await startServer(
    { ...settings, server: { ...settings.server, drainMs: 0 } },
    { logger: pino({ level: "error" }, { write: (line: string) => void log.push(line) }) },
  );
  afterFile(() => server.close());
  const ready = async () => (await fetch(`${server.url}/readyz`)).status;
  const create = async () => {
    const response = await fetch(`${server.url}/valinor.v1.AgentRegistry/CreateAgent`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ agent: { id: `a${log.length}` } }),
    });
    return { status: response.status, text: await response.text() };
  };
  expect(await ready()).toBe(200);
  renameSync(path, `${path}.away`);
  await until("it is not ready", async () => (await ready()) === 503);
  const refused = await create();
  expect(refused.status).toBe(503);
  expect(refused.text).toContain("the store's file was removed or replaced");
  expect(
    log.filter((line) => line.includes("the store fails") && line.includes(`${path} was removed`)),
  ).toHaveLength(1);
  renameSync(`${path}.away`, path);
  await until("it is ready again", async () => (await ready()) === 200);
  expect((await create()).status).toBe(200);
});
