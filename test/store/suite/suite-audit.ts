import { setImmediate as nextTurn } from "node:timers/promises";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { configDigest } from "../../../protocol/wire/digest.ts";
import { agent, all, ann, apiKey, bob, config, entry, key } from "../records.ts";
import type { Opened } from "./suite-database.ts";

/** The audit log. */
export function auditTests(opened: Opened): void {
  describe("the audit log", () => {
    const entries = () => opened.store.listAudit({ after: 0, limit: 1_000 });
    const last = async () => (await entries()).at(-1);

    test("tells of every change: who, what, of which agent, and with what detail", async () => {
      const { store } = opened;
      await store.createAgent(agent({ vsockCid: 7, address: "tcp://127.0.0.1:1" }), ann);
      await store.updateAgent(key, { status: "STOPPED", vsockCid: 8 }, "", bob);
      await store.putConfig(key, config({ actor: bob }));
      await store.recordVerdict(key, 2, { outcome: "refused", reason: "no", bootId: "b1" });
      await store.putConfig(key, config({ config: {}, rollbackOf: 1 }));
      await store.recordVerdict(key, 3, { outcome: "applied", reason: "", bootId: "b1" });
      await store.raiseRevision(key, 8);
      const refused = await store.putContext(key, { key: "k", payload: { context: "é" } }, ann);
      await store.restoreContext(key, refused, undefined);
      await store.createKey(apiKey({ expireTime: new Date("2030-01-01T00:00:00Z") }), ann);
      await store.revokeKey("k1", bob);
      await store.deleteAgent(key, bob);
      const [first, pushed] = [configDigest({}, all), configDigest({ model: "m" }, all)];
      const self = { subject: "valinor", credential: "valinor" };
      const about = { tenant: "acme", agentId: "a1" };
      expect(await entries()).toMatchObject([
        {
          ...about,
          ...ann,
          action: "agent.create",
          detail: {
            status: "RUNNING",
            vsock_cid: 7,
            address: "tcp://127.0.0.1:1",
          },
        },
        { ...about, ...bob, action: "agent.update", detail: { fields: ["status", "vsock_cid"] } },
        {
          ...about,
          ...bob,
          action: "config.push",
          detail: {
            revision: 2,
            sha256: pushed,
            before: {
              revision: 1,
              sha256: first,
            },
          },
        },
        {
          ...about,
          ...self,
          action: "config.refused",
          detail: {
            revision: 2,
            boot_id: "b1",
          },
        },
        {
          ...about,
          ...ann,
          action: "config.rollback",
          detail: {
            revision: 3,
            sha256: first,
            rollback_of: 1,
            before: {
              revision: 2,
              sha256: pushed,
            },
          },
        },
        {
          ...about,
          ...self,
          action: "config.applied",
          detail: {
            revision: 3,
            boot_id: "b1",
          },
        },
        {
          ...about,
          ...self,
          action: "config.raise",
          detail: {
            revision: 9,
            sha256: first,
            before: {
              revision: 3,
              sha256: first,
            },
          },
        },
        { ...about, ...ann, action: "context.push", detail: { key: "k", bytes: 16 } },
        { ...about, ...self, action: "context.refused", detail: { key: "k" } },
        {
          ...ann,
          tenant: "acme",
          agentId: "",
          action: "key.create",
          detail: {
            id: "k1",
            subject: "ci",
            permissions: ["agents:read", "agents:write"],
            label: "the build",
            expire_time: "2030-01-01T00:00:00.000Z",
          },
        },
        { ...bob, tenant: "acme", agentId: "", action: "key.revoke", detail: { id: "k1" } },
        { ...about, ...bob, action: "agent.delete" },
      ]);
      const sequences = (await entries()).map(({ sequence }) => sequence);
      expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
    });

    test("says nothing from which a secret could be guessed", async () => {
      const { store } = opened;
      await store.createAgent(agent(), ann);
      const sealed = { deep: [{ token: "secret:v1:00000000:AAAA" }] };
      await store.putConfig(key, config({ config: sealed, sha256: configDigest(sealed, all) }));
      expect((await last())?.detail).toMatchObject({ sha256: configDigest(sealed, all) });
      await store.putConfig(key, config());
      await store.raiseRevision(key, 9);
      await store.createKey(apiKey(), ann);
      const text = JSON.stringify(await entries());
      for (const secret of ["secret:", apiKey().sha256]) expect(text).not.toContain(secret);
    });

    test("has nothing of what was not done", async () => {
      const { store } = opened;
      await store.createAgent(agent(), ann);
      await store.createKey(apiKey(), ann);
      const before = await entries();
      await Promise.allSettled([
        store.createAgent(agent(), ann),
        store.updateAgent(key, { status: "FAILED" }, "x", ann),
        store.putConfig(key, config({ expectedRevision: 7 })),
        store.createKey(apiKey(), ann),
      ]);
      expect(await store.deleteAgent({ ...key, id: "none" }, ann)).toBe(false);
      expect(await store.revokeKey("none", ann)).toBe(false);
      expect(await entries()).toEqual(before);
    });

    test("and the change are one: if the entry cannot be written, nothing is done", async () => {
      const { store } = opened;
      await store.createAgent(agent(), ann);
      const database = opened.database.connect();
      await sql`alter table audit rename to audit_away`.execute(database);
      const unavailable = { code: "unavailable" };
      await expect(store.createAgent(agent({ id: "a2" }), ann)).rejects.toMatchObject(unavailable);
      await expect(store.updateAgent(key, { status: "FAILED" }, "", ann)).rejects.toMatchObject(unavailable);
      await expect(store.putConfig(key, config())).rejects.toMatchObject(unavailable);
      await expect(store.raiseRevision(key, 5)).rejects.toMatchObject(unavailable);
      await expect(
        store.recordVerdict(key, 1, { outcome: "applied", reason: "", bootId: "" }),
      ).rejects.toMatchObject(unavailable);
      await expect(
        store.putContext(key, { key: "", payload: { context: "text" } }, ann),
      ).rejects.toMatchObject(unavailable);
      await expect(store.createKey(apiKey(), ann)).rejects.toMatchObject(unavailable);
      await expect(store.deleteAgent(key, ann)).rejects.toMatchObject(unavailable);
      await expect(store.deleteTenant("acme", ann)).rejects.toMatchObject(unavailable);
      await sql`alter table audit_away rename to audit`.execute(database);
      await database.destroy();
      expect(await store.listAgents("acme", { afterId: "", limit: 9 })).toMatchObject([
        { status: "RUNNING" },
      ]);
      expect(await store.currentConfig(key)).toMatchObject({ revision: 1, verdict: { outcome: "none" } });
      expect([await store.contexts(key), await store.findKey("k1")]).toEqual([[], undefined]);
      expect(await entries()).toHaveLength(1);
    });

    test("is neither changed nor emptied, whoever asks the database", async () => {
      const { store } = opened;
      await store.appendAudit([entry(), entry({ action: "tool.blocked" })]);
      const before = await entries();
      const database = opened.database.connect();
      const sequence = before[0]?.sequence ?? 0;
      for (const statement of [
        "update audit set subject = 'nobody'",
        `delete from audit where sequence = ${sequence}`,
        "delete from audit",
        ...opened.database.emptying.map((text) => text.replace("$1", String(sequence))),
      ]) {
        await expect(sql.raw(statement).execute(database)).rejects.toThrow(/append-only/);
      }
      await database.destroy();
      expect(await entries()).toEqual(before);
    });

    test("takes many entries at once, in their order, and is read a page at a time", async () => {
      const { store } = opened;
      const many = Array.from({ length: 1_200 }, (_, index) => entry({ detail: { index } }));
      await store.appendAudit(many);
      await store.appendAudit([]);
      const first = await store.listAudit({ after: 0, limit: 700 });
      const rest = await store.listAudit({ after: first.at(-1)?.sequence ?? 0, limit: 700 });
      expect([...first, ...rest].map(({ detail }) => detail["index"])).toEqual(many.map((_, index) => index));
    });

    test("is read by tenant and by span of time", async () => {
      const { store } = opened;
      const began = new Date();
      await store.appendAudit([entry(), entry({ tenant: "other" }), entry({ tenant: "" })]);
      const ended = new Date(Date.now() + 1);
      const tenants = async (page: { tenant?: string; since?: Date; until?: Date }) =>
        (await store.listAudit({ after: 0, limit: 9, ...page })).map(({ tenant }) => tenant);
      expect(await tenants({ tenant: "other" })).toEqual(["other"]);
      expect(await tenants({ since: began, until: ended })).toEqual(["acme", "other", ""]);
      expect(await tenants({ since: ended })).toEqual([]);
      expect(await tenants({ until: began, tenant: "acme" })).toEqual([]);
    });

    test("takes any text", async () => {
      await opened.store.appendAudit([
        entry({ subject: "a\0b\ud800", agentId: "'); drop table audit; --", detail: { text: "\0\ud800é" } }),
      ]);
      expect(await last()).toMatchObject({
        subject: "a�b�",
        agentId: "'); drop table audit; --",
        detail: { text: "\0\ud800é" },
      });
    });

    test("shows an entry only after those with lower numbers, so that who reads on misses none", async () => {
      const { store } = opened;
      const other = await opened.database.open();
      const seen: number[] = [];
      const writing = Promise.all(
        [store, other, store, other].map(async (writer) => {
          for (let index = 0; index < 25; index++) await writer.appendAudit([entry()]);
        }),
      );
      const readOn = async () => {
        for (const { sequence } of await other.listAudit({ after: seen.at(-1) ?? 0, limit: 1_000 }))
          seen.push(sequence);
      };
      while (seen.length < 100) {
        await readOn();
        await nextTurn(); // SQLite answers at once: nothing else would have its turn
      }
      await writing;
      await other.close();
      expect(seen).toEqual((await entries()).map(({ sequence }) => sequence));
      expect(seen).toHaveLength(100);
    });
  });
}
