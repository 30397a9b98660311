import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";
import type { Store } from "../../../src/store/store.ts";
import { tempDir } from "../../helpers/cleanup.ts";
import { occurrences } from "../../helpers/occurrences.ts";
import { until } from "../../helpers/until.ts";
import { agent, ann, apiKey, config } from "../records.ts";

/**
 * Agents with texts of every size, written and replaced in an order that moves rows from page to page: SQLite leaves copies behind
 * when it does that. Each text names its agent.
 */
async function fill(store: Store, tenant: string): Promise<void> {
  const sizes = [10, 80, 300, 1_500, 6_000];
  for (let n = 0; n < 240; n++) {
    const key = { tenant, id: `a${(n * 7) % 12}` };
    if (n < 12) await store.createAgent(agent({ tenant, id: `a${n}` }), ann);
    else {
      const mark = `CANARY-${tenant}-${key.id}-`;
      const text = mark.padEnd(sizes[(n * 11) % 5] ?? 0, "x") + mark;
      if (n % 2 === 0) await store.putConfig(key, config({ config: { text } }));
      else await store.putContext(key, { key: `k${n % 3}`, payload: { context: text } }, ann);
    }
  }
}

test("nothing of a deleted agent, or tenant, is left in any file, while the store is open", async () => {
  const folder = tempDir();
  const store = await openSqliteStore(join(folder, "valinor.db"));
  // Its long read keeps the log from being emptied for a while.
  const reader = new DatabaseSync(join(folder, "valinor.db"));
  try {
    for (const tenant of ["gone", "kept"]) await fill(store, tenant);
    await store.createKey(apiKey({ tenant: "gone", label: "CANARY-gone-key" }), ann);
    reader.exec("begin; select count(*) from agents");
    await store.deleteAgent({ tenant: "kept", id: "a3" }, ann);
    const removed = await store.deleteTenant("gone", ann);
    expect(removed).toEqual({ agents: 12, keys: 1 });
    // The key's label stands in the audit log, which stays.
    const left = () => occurrences(folder, "CANARY-gone-a") + occurrences(folder, "CANARY-kept-a3-");
    expect(left()).toBeGreaterThan(0);
    reader.exec("commit");
    await until("all of it is gone", () => left() === 0, 20_000);
    expect(occurrences(folder, "CANARY-kept-a4-")).toBeGreaterThan(0);
    expect(await store.currentConfig({ tenant: "kept", id: "a4" })).toBeDefined();
  } finally {
    reader.close();
    await store.close();
  }
});

test("what was deleted just before a store is closed is gone when it is closed", async () => {
  const folder = tempDir();
  const store = await openSqliteStore(join(folder, "valinor.db"));
  await fill(store, "gone");
  await store.deleteTenant("gone", ann);
  await store.close();
  expect(occurrences(folder, "CANARY")).toBe(0);
  expect(readdirSync(folder)).toEqual(["valinor.db"]);
});

test("what a process deleted that was killed is gone soon after the next one opened the store", async () => {
  const folder = tempDir();
  const path = join(folder, "valinor.db");
  const store = await openSqliteStore(path);
  await fill(store, "gone");
  await store.close();
  // As a store does that is killed before it wiped.
  const killed = new DatabaseSync(path);
  killed.exec("pragma foreign_keys = on; begin; delete from agents; pragma user_version = 5; commit");
  killed.close();
  expect(occurrences(folder, "CANARY")).toBeGreaterThan(0);
  const next = await openSqliteStore(path);
  try {
    await until("all of it is gone", () => occurrences(folder, "CANARY") === 0, 20_000);
  } finally {
    await next.close();
  }
});

test("the log of a store does not stay long, and its writers go on while it is wiped", async () => {
  const folder = tempDir();
  const path = join(folder, "valinor.db");
  const store = await openSqliteStore(path);
  await fill(store, "kept");
  const log = () => statSync(`${path}-wal`).size;
  const before = log();
  for (let n = 0; n < 5; n++) {
    await store.deleteAgent({ tenant: "kept", id: `a${n}` }, ann);
    await Promise.all([6, 7, 8, 9].map((id) => store.putConfig({ tenant: "kept", id: `a${id}` }, config())));
  }
  await until("the log is short", () => log() < before / 2, 20_000);
  expect(await store.currentConfig({ tenant: "kept", id: "a9" })).toMatchObject({ config: { model: "m" } });
  await store.close();
});
