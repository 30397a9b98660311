import { sql } from "kysely";
import { Migrator } from "kysely/migration";
import { expect, test } from "vitest";
import { migrations } from "../../../src/store/schema/migrations.ts";
import { configDigest } from "../../../protocol/wire/digest.ts";
import { all, ann, config, key } from "../records.ts";
import type { CreateDatabase, TestDatabase } from "./suite-database.ts";

/** Upgrades of a database that an older version wrote. */
export function upgradeTests(create: CreateDatabase): void {
  test("a database of the first version is upgraded with everything in it", async () => {
    const old = await create("empty");
    await writeFirstVersion(old);
    const store = await old.open();
    try {
      expect(await store.getAgent(key)).toMatchObject({ ...key, etag: "e1", vsockCid: 7, configRevision: 2 });
      expect(await store.currentConfig(key)).toEqual({
        revision: 2,
        config: { model: "m" },
        policy: { mode: "listed", tools: ["t"] },
        sha256: configDigest({ model: "m" }, { mode: "listed", tools: ["t"] }),
        author: "ann",
        createTime: new Date(2_000),
        rollbackOf: 0,
        verdict: { outcome: "none", reason: "", bootId: "", time: undefined },
      });
      expect(await store.getConfig(key, 1)).toMatchObject({ config: {}, policy: all });
      const [entry] = await store.contexts(key);
      expect(entry).toMatchObject({ key: "k", payload: { context: "text" }, version: "" });
      expect(await store.listAudit({ after: 0, limit: 9 })).toEqual([]);
      // And it goes on from there.
      expect(await store.putConfig(key, config({ expectedRevision: 2 }))).toMatchObject({ revision: 3 });
      const refused = await store.putContext(key, { key: "k", payload: { context: "new" } }, ann);
      expect(await store.restoreContext(key, refused, entry)).toBe(true);
      expect(await store.listAudit({ after: 0, limit: 9 })).toHaveLength(3);
    } finally {
      await store.close();
      await old.remove();
    }
  });

  test("two that open a database of the first version at once both work", async () => {
    const old = await create("empty");
    await writeFirstVersion(old);
    const stores = await Promise.all([old.open(), old.open(), old.open()]);
    for (const store of stores) await store.putConfig(key, config());
    expect(await stores[0].getAgent(key)).toMatchObject({ configRevision: 5 });
    await Promise.all(stores.map((store) => store.close()));
    await old.remove();
  });
}

async function writeFirstVersion(database: TestDatabase): Promise<void> {
  const db = database.connect();
  const { "0001_agents": first } = migrations(database.types);
  if (first === undefined) throw new Error("there is no 0001_agents");
  const provider = { getMigrations: () => Promise.resolve({ "0001_agents": first }) };
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  if (error !== undefined) throw new Error("0001_agents failed", { cause: error });
  const row = { status: "RUNNING", vsock_cid: 7, address: "", etag: "e1", create_time: 1_000 };
  await db
    .insertInto("agents")
    .values({ ...key, ...row, update_time: 2_000, config_revision: 2 })
    .execute();
  const policies = [all, { mode: "listed", tools: ["t"] } as const];
  for (const [index, policy] of policies.entries()) {
    const value = index === 0 ? {} : { model: "m" };
    await db
      .insertInto("configs")
      .values({
        tenant: key.tenant,
        agent_id: key.id,
        revision: index + 1,
        author: "ann",
        config: JSON.stringify(value),
        policy_mode: policy.mode,
        policy_tools: JSON.stringify(policy.tools),
        sha256: configDigest(value, policy),
        create_time: 1_000 * (index + 1),
      })
      .execute();
  }
  await sql`insert into contexts (tenant, agent_id, key, payload, update_time)
    values (${key.tenant}, ${key.id}, 'k', '{"context":"text"}', 1500)`.execute(db);
  await db.destroy();
}
