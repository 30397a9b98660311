import { describe, expect, test } from "vitest";
import { agent, ann, apiKey, bob, config, key } from "../records.ts";
import type { Opened } from "./suite-database.ts";

/** API keys, and the removal of all that a tenant has. */
export function keyTests(opened: Opened): void {
  describe("API keys", () => {
    test("a key is read back as it was created, neither revoked nor used", async () => {
      const expireTime = new Date("2030-01-02T03:04:05.678Z");
      const created = await opened.store.createKey(apiKey({ expireTime }), ann);
      expect(created).toMatchObject({
        ...apiKey({ expireTime }),
        revokeTime: undefined,
        lastUsedTime: undefined,
      });
      expect(Math.abs(created.createTime.getTime() - Date.now())).toBeLessThan(60_000);
      expect(await opened.store.findKey("k1")).toEqual(created);
      expect(await opened.store.findKey("k1\0")).toBeUndefined();
    });

    test("an id is taken once, across tenants and by creations at once", async () => {
      const { store } = opened;
      const results = await Promise.allSettled(
        ["acme", "other", "third"].map((tenant) => store.createKey(apiKey({ tenant }), ann)),
      );
      const lost = results.filter((result) => result.status === "rejected");
      expect(lost).toHaveLength(2);
      for (const { reason } of lost) expect(reason).toMatchObject({ code: "exists" });
    });

    test("keys are listed by id in code-unit order, of one tenant or of all, a page at a time", async () => {
      const { store } = opened;
      for (const [id, tenant] of [
        ["b", "acme"],
        ["B", "acme"],
        ["a", "other"],
        ["c", "acme"],
      ] as const) {
        await store.createKey(apiKey({ id, tenant }), ann);
      }
      const ids = async (page: { tenant?: string; afterId: string; limit: number }) =>
        (await store.listKeys(page)).map(({ id }) => id);
      expect(await ids({ afterId: "", limit: 3 })).toEqual(["B", "a", "b"]);
      expect(await ids({ tenant: "acme", afterId: "B", limit: 1 })).toEqual(["b"]);
      expect(await ids({ tenant: "nobody", afterId: "", limit: 9 })).toEqual([]);
    });

    test("a key is revoked once, and stays", async () => {
      const { store } = opened;
      await store.createKey(apiKey(), ann);
      expect(await store.revokeKey("k1", bob)).toBe(true);
      const revoked = await store.findKey("k1");
      expect(revoked?.revokeTime).toBeInstanceOf(Date);
      expect(await store.revokeKey("k1", bob)).toBe(false);
      expect(await store.revokeKey("none", bob)).toBe(false);
      expect(await store.findKey("k1")).toEqual(revoked);
    });

    test("a key's last use is known to the minute, and never goes back", async () => {
      const { store } = opened;
      await store.createKey(apiKey(), ann);
      const used = async () => (await store.findKey("k1"))?.lastUsedTime?.toISOString();
      await store.touchKey("k1", new Date("2026-01-01T10:20:30.500Z"));
      expect(await used()).toBe("2026-01-01T10:20:00.000Z");
      await store.touchKey("k1", new Date("2026-01-01T09:00:00Z"));
      expect(await used()).toBe("2026-01-01T10:20:00.000Z");
      await store.touchKey("k1", new Date("2026-01-01T10:21:00Z"));
      expect(await used()).toBe("2026-01-01T10:21:00.000Z");
      await store.touchKey("none", new Date());
    });
  });

  describe("the removal of a tenant", () => {
    test("takes its agents with what belongs to them, and its keys, and leaves other tenants and the log", async () => {
      const { store } = opened;
      const other = { tenant: "acme2", id: key.id };
      for (const each of [key, { ...key, id: "a2" }, other]) {
        await store.createAgent(agent(each), ann);
        await store.putConfig(each, config());
        await store.putContext(each, { key: "k", payload: { context: "text" } }, ann);
      }
      await store.createKey(apiKey(), ann);
      await store.createKey(apiKey({ id: "k2", tenant: "acme2" }), ann);
      const logged = await store.listAudit({ after: 0, limit: 99 });
      expect(await store.deleteTenant("acme", bob)).toEqual({ agents: 2, keys: 1 });
      expect(await store.listAgents("acme", { afterId: "", limit: 9 })).toEqual([]);
      expect([await store.currentConfig(key), await store.contexts(key)]).toEqual([undefined, []]);
      expect(await store.listKeys({ afterId: "", limit: 9 })).toMatchObject([{ id: "k2" }]);
      expect(await store.currentConfig(other)).toMatchObject({ revision: 2 });
      expect(await store.contexts(other)).toHaveLength(1);
      const after = await store.listAudit({ after: 0, limit: 99 });
      expect(after.slice(0, -1)).toEqual(logged);
      expect(after.at(-1)).toMatchObject({
        tenant: "acme",
        subject: "bob",
        action: "tenant.delete",
        detail: {
          agents: 2,
          keys: 1,
        },
      });
      expect(await store.deleteTenant("acme", bob)).toEqual({ agents: 0, keys: 0 });
    });
  });
}
