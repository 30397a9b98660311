import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Store } from "../../../src/store/store.ts";
import { KEPT_REVISIONS, MAX_CONTEXTS } from "../../../src/store/store.ts";
import { configDigest } from "../../../protocol/wire/digest.ts";
import { agent, all, ann, bob, config, key } from "../records.ts";
import { auditTests } from "./suite-audit.ts";
import { changeTests } from "./suite-changes.ts";
import type { CreateDatabase, Opened, TestDatabase } from "./suite-database.ts";
import { keyTests } from "./suite-keys.ts";
import { revisionTests } from "./suite-revisions.ts";
import { upgradeTests } from "./suite-upgrade.ts";

/** What every store does, whichever database it is on. */
export function storeSuite(name: string, create: CreateDatabase): void {
  describe(`the store on ${name}`, () => {
    let database: TestDatabase;
    let store: Store;

    beforeEach(async () => {
      database = await create();
      store = await database.open();
    });
    afterEach(async () => {
      await store.close();
      await database.remove();
    });

    const opened: Opened = {
      get database() {
        return database;
      },
      get store() {
        return store;
      },
    };
    changeTests(opened);
    revisionTests(opened);
    keyTests(opened);
    auditTests(opened);
    upgradeTests(create);

    describe("agents", () => {
      test("a new agent is read back as it was created, with configuration revision 1", async () => {
        const created = await store.createAgent(
          agent({ status: "PROVISIONING", vsockCid: 4294967294, address: "tcp://127.0.0.1:9103" }),
          ann,
        );
        expect(created).toMatchObject({
          ...key,
          status: "PROVISIONING",
          vsockCid: 4294967294,
          address: "tcp://127.0.0.1:9103",
          configRevision: 1,
        });
        expect(created.etag).not.toBe("");
        expect(Math.abs(created.createTime.getTime() - Date.now())).toBeLessThan(60_000);
        expect(await store.getAgent(key)).toEqual(created);
        expect(await store.currentConfig(key)).toEqual({
          revision: 1,
          config: {},
          policy: all,
          sha256: configDigest({}, all),
          author: "ann",
          createTime: created.createTime,
          rollbackOf: 0,
          verdict: { outcome: "none", reason: "", bootId: "", time: undefined },
        });
      });

      test("an id is taken once in its tenant, and is free in another", async () => {
        await store.createAgent(agent(), ann);
        await expect(store.createAgent(agent(), bob)).rejects.toMatchObject({ code: "exists" });
        await store.createAgent(agent({ tenant: "other" }), ann);
      });

      test("of two creations at once exactly one wins", async () => {
        const results = await Promise.allSettled([
          store.createAgent(agent(), ann),
          store.createAgent(agent(), bob),
        ]);
        expect(results.map((result) => result.status).toSorted()).toEqual(["fulfilled", "rejected"]);
      });

      test("an address belongs to one live agent across tenants", async () => {
        const address = "tcp://127.0.0.1:9103";
        await store.createAgent(agent({ address }), ann);
        await expect(
          store.createAgent(agent({ tenant: "other", id: "b", address }), ann),
        ).rejects.toMatchObject({ code: "address_taken" });
        expect(await store.getAgent({ tenant: "other", id: "b" })).toBeUndefined();
        // What no database takes is in none; clients may ask for it.
        expect(await store.getAgent({ tenant: "t", id: "a\0" })).toBeUndefined();
      });

      test("a CID belongs to one live agent across tenants", async () => {
        await store.createAgent(agent({ vsockCid: 7, address: "tcp://127.0.0.1:1" }), ann);
        await expect(
          store.createAgent(
            agent({ tenant: "other", vsockCid: 7, address: "tcp://127.0.0.1:2", status: "PROVISIONING" }),
            ann,
          ),
        ).rejects.toMatchObject({ code: "address_taken" });
      });

      test("stopped and failed agents hold neither address nor CID", async () => {
        const address = "tcp://127.0.0.1:9103";
        await store.createAgent(agent({ id: "stopped", status: "STOPPED", address, vsockCid: 7 }), ann);
        await store.createAgent(agent({ id: "live", address, vsockCid: 7 }), ann);
        await store.createAgent(agent({ id: "failed", status: "FAILED", address, vsockCid: 7 }), ann);
        expect(await store.listAgents("acme", { afterId: "", limit: 9 })).toHaveLength(3);
      });

      test("any number of agents may have no address and no CID", async () => {
        await store.createAgent(agent({ id: "a" }), ann);
        await store.createAgent(agent({ id: "b" }), ann);
        expect(await store.listAgents("acme", { afterId: "", limit: 9 })).toHaveLength(2);
      });

      test("a list is one tenant's agents in code-unit order, a page at a time", async () => {
        for (const id of ["b", "B", "a-1", "a.1", "a_1", "a1", "A"])
          await store.createAgent(agent({ id }), ann);
        await store.createAgent(agent({ tenant: "other", id: "Z" }), ann);
        const first = await store.listAgents("acme", { afterId: "", limit: 4 });
        expect(first.map(({ id }) => id)).toEqual(["A", "B", "a-1", "a.1"]);
        const rest = await store.listAgents("acme", { afterId: "a.1", limit: 4 });
        expect(rest.map(({ id }) => id)).toEqual(["a1", "a_1", "b"]);
        expect(await store.listAgents("nobody", { afterId: "", limit: 4 })).toEqual([]);
      });

      test("the list of every tenant pages from one tenant to the next", async () => {
        for (const [tenant, id] of [
          ["t1", "b"],
          ["t1", "a"],
          ["t2", "a"],
          ["t0", "z"],
        ] as const) {
          await store.createAgent(agent({ tenant, id }), ann);
        }
        const first = await store.allAgents({ limit: 2 });
        expect(first.map(({ tenant, id }) => `${tenant}/${id}`)).toEqual(["t0/z", "t1/a"]);
        const rest = await store.allAgents({ after: { tenant: "t1", id: "a" }, limit: 9 });
        expect(rest.map(({ tenant, id }) => `${tenant}/${id}`)).toEqual(["t1/b", "t2/a"]);
      });

      test("deletion removes the agent, its configurations and its contexts", async () => {
        await store.createAgent(agent({ address: "tcp://127.0.0.1:9103" }), ann);
        await store.putConfig(key, config());
        await store.putContext(key, { key: "k", payload: { context: "text" } }, ann);
        expect(await store.deleteAgent(key, ann)).toBe(true);
        expect(await store.getAgent(key)).toBeUndefined();
        expect(await store.currentConfig(key)).toBeUndefined();
        expect(await store.contexts(key)).toEqual([]);
        expect(await store.deleteAgent(key, ann)).toBe(false);
        await store.createAgent(agent({ address: "tcp://127.0.0.1:9103" }), ann);
        expect(await store.currentConfig(key)).toMatchObject({ revision: 1, config: {} });
        expect(await store.contexts(key)).toEqual([]);
      });

      test("an agent that is deleted and made again has another etag", async () => {
        const first = await store.createAgent(agent(), ann);
        await store.deleteAgent(key, ann);
        expect((await store.createAgent(agent(), ann)).etag).not.toBe(first.etag);
      });
    });

    describe("configurations", () => {
      test("a pushed configuration becomes the current one, digest and all", async () => {
        await store.createAgent(agent(), ann);
        const value = {
          model: "é\u0000\ud83d\ude00",
          nested: { list: [1, 2.5, -0.1, null, true, {}] },
          "": [],
        };
        const policy = { mode: "listed", tools: ["z", "a"] } as const;
        const stored = await store.putConfig(key, config({ config: value, policy, actor: bob }));
        expect(stored).toMatchObject({ revision: 2, config: value, policy, author: "bob" });
        expect(stored.sha256).toBe(configDigest(value, policy));
        expect(await store.currentConfig(key)).toEqual(stored);
      });

      test("every push is a new revision, the same content too, and changes the agent's etag", async () => {
        const created = await store.createAgent(agent(), ann);
        await store.putConfig(key, config());
        const once = await store.getAgent(key);
        await store.putConfig(key, config());
        const twice = await store.getAgent(key);
        expect(twice?.configRevision).toBe(3);
        expect(new Set([created.etag, once?.etag, twice?.etag]).size).toBe(3);
      });

      test("a push that expects another revision is refused, names the current one and changes nothing", async () => {
        await store.createAgent(agent(), ann);
        await store.putConfig(key, config({ expectedRevision: 1 }));
        const before = [await store.getAgent(key), await store.currentConfig(key)];
        await expect(store.putConfig(key, config({ expectedRevision: 1 }))).rejects.toMatchObject({
          code: "revision_conflict",
          currentRevision: 2,
        });
        await expect(store.putConfig(key, config({ expectedRevision: 3 }))).rejects.toMatchObject({
          code: "revision_conflict",
          currentRevision: 2,
        });
        expect([await store.getAgent(key), await store.currentConfig(key)]).toEqual(before);
      });

      test("of two writers at once that expect the same revision exactly one wins", async () => {
        await store.createAgent(agent(), ann);
        const second = await database.open();
        try {
          const results = await Promise.allSettled(
            [store, second, store, second].map((writer, index) =>
              writer.putConfig(
                key,
                config({ expectedRevision: 1, actor: { ...ann, subject: `writer ${index}` } }),
              ),
            ),
          );
          const won = results.filter((result) => result.status === "fulfilled");
          const lost = results.filter((result) => result.status === "rejected");
          expect(won.map((result) => result.value.revision)).toEqual([2]);
          expect(lost).toHaveLength(3);
          for (const { reason } of lost)
            expect(reason).toMatchObject({ code: "revision_conflict", currentRevision: 2 });
          expect(await second.currentConfig(key)).toEqual(won[0]?.value);
        } finally {
          await second.close();
        }
      });

      test("writers that expect nothing all get revisions of their own", async () => {
        await store.createAgent(agent(), ann);
        const stored = await Promise.all(Array.from({ length: 8 }, () => store.putConfig(key, config())));
        expect(new Set(stored.map(({ revision }) => revision))).toEqual(new Set([2, 3, 4, 5, 6, 7, 8, 9]));
      });

      test("the current configuration survives any number of pushes", async () => {
        await store.createAgent(agent(), ann);
        for (let index = 0; index < KEPT_REVISIONS + 2; index++)
          await store.putConfig(key, config({ config: { index } }));
        expect(await store.currentConfig(key)).toMatchObject({
          revision: KEPT_REVISIONS + 3,
          config: { index: KEPT_REVISIONS + 1 },
        });
      });

      test("a push to an unknown agent is not_found", async () => {
        await expect(store.putConfig(key, config())).rejects.toMatchObject({ code: "not_found" });
        expect(await store.currentConfig(key)).toBeUndefined();
      });
    });

    describe("contexts", () => {
      test("entries keep the client's whole object, by key", async () => {
        await store.createAgent(agent(), ann);
        const payload = { context: "text", key: "b", own: { deep: [1] } };
        await store.putContext(key, { key: "b", payload }, ann);
        await store.putContext(key, { key: "", payload: { context: "default" } }, ann);
        expect(await store.contexts(key)).toMatchObject([
          { key: "", payload: { context: "default" } },
          { key: "b", payload },
        ]);
      });

      test("a second push of a key replaces the first", async () => {
        await store.createAgent(agent(), ann);
        await store.putContext(key, { key: "k", payload: { context: "one", old: true } }, ann);
        await store.putContext(key, { key: "k", payload: { context: "two" } }, ann);
        const entries = await store.contexts(key);
        expect(entries.map(({ payload }) => payload)).toEqual([{ context: "two" }]);
      });

      test("an empty context removes its entry alone", async () => {
        await store.createAgent(agent(), ann);
        await store.putContext(key, { key: "", payload: { context: "default" } }, ann);
        await store.putContext(key, { key: "k", payload: { context: "text" } }, ann);
        await store.putContext(key, { key: "k", payload: { context: "" } }, ann);
        await store.putContext(key, { key: "never set", payload: { context: "" } }, ann);
        expect((await store.contexts(key)).map((entry) => entry.key)).toEqual([""]);
      });

      test("a full context takes changes of its entries and refuses another", async () => {
        await store.createAgent(agent(), ann);
        for (let index = 0; index < MAX_CONTEXTS; index++)
          await store.putContext(key, { key: `k${index}`, payload: { context: "text" } }, ann);
        await store.putContext(key, { key: "k0", payload: { context: "changed" } }, ann);
        await expect(
          store.putContext(key, { key: "one more", payload: { context: "text" } }, ann),
        ).rejects.toMatchObject({ code: "too_many" });
        expect(await store.contexts(key)).toHaveLength(MAX_CONTEXTS);
        await store.putContext(key, { key: "k0", payload: { context: "" } }, ann);
        await store.putContext(key, { key: "one more", payload: { context: "text" } }, ann);
      });

      test("an entry of an unknown agent is not_found, and so is its removal", async () => {
        for (const context of ["text", ""])
          await expect(store.putContext(key, { key: "", payload: { context } }, ann)).rejects.toMatchObject({
            code: "not_found",
          });
      });
    });

    test("tenants with agents of one id never see each other", async () => {
      const other = { tenant: "other", id: key.id };
      await store.createAgent(agent(), ann);
      await store.createAgent(agent(other), bob);
      await store.putConfig(key, config({ config: { secret: 1 } }));
      await store.putContext(key, { key: "", payload: { context: "secret" } }, ann);
      expect(await store.currentConfig(other)).toMatchObject({ revision: 1, config: {}, author: "bob" });
      expect(await store.contexts(other)).toEqual([]);
      expect(await store.listAgents("other", { afterId: "", limit: 9 })).toHaveLength(1);
      expect(await store.deleteAgent(other, ann)).toBe(true);
      expect(await store.getAgent(key)).toMatchObject({ configRevision: 2 });
      expect(await store.contexts(key)).toHaveLength(1);
    });

    test("texts that look like SQL are texts", async () => {
      const odd = { tenant: "a' or '1'='1", id: "x'; drop table agents; --" };
      await store.createAgent(agent(odd), ann);
      expect(await store.getAgent(odd)).toMatchObject(odd);
      expect(await store.listAgents("acme", { afterId: "", limit: 9 })).toEqual([]);
    });

    test("a closed store opens again with everything in it", async () => {
      await store.createAgent(agent({ vsockCid: 5 }), ann);
      await store.putConfig(key, config({ policy: { mode: "listed", tools: ["t"] } }));
      await store.putContext(key, { key: "k", payload: { context: "text" } }, ann);
      const read = async () => [
        await store.getAgent(key),
        await store.currentConfig(key),
        await store.contexts(key),
      ];
      const before = await read();
      await store.close();
      store = await database.open();
      expect(await read()).toEqual(before);
    });

    test("closing lets what is under way end, twice is once, and what comes later is unavailable", async () => {
      const creation = store.createAgent(agent(), ann);
      await Promise.all([creation, store.close(), store.close()]);
      await expect(store.getAgent(key)).rejects.toMatchObject({ name: "StoreError", code: "unavailable" });
      store = await database.open();
      expect(await store.getAgent(key)).toEqual(await creation);
    });
  });
}
