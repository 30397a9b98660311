import { describe, expect, test } from "vitest";
import { MAX_REASON } from "../../../src/store/queries/storable.ts";
import { KEPT_REVISIONS, MAX_CONTEXTS } from "../../../src/store/store.ts";
import { agent, ann, bob, config, key } from "../records.ts";
import type { Opened } from "./suite-database.ts";

/** Kept revisions, what guests said of them, raised revisions, and context entries that are put back. */
export function revisionTests(opened: Opened): void {
  describe("kept revisions", () => {
    test("are read one by one and listed, the newest first, a page at a time", async () => {
      const { store } = opened;
      await store.createAgent(agent(), ann);
      for (const model of ["m2", "m3", "m4"]) await store.putConfig(key, config({ config: { model } }));
      expect(await store.getConfig(key, 3)).toMatchObject({ revision: 3, config: { model: "m3" } });
      expect(await store.getConfig(key, 5)).toBeUndefined();
      const first = await store.listConfigs(key, { before: 0, limit: 2 });
      expect(first.map(({ revision }) => revision)).toEqual([4, 3]);
      const rest = await store.listConfigs(key, { before: 3, limit: 9 });
      expect(rest.map(({ revision }) => revision)).toEqual([2, 1]);
      expect(await store.listConfigs({ ...key, id: "none" }, { before: 0, limit: 9 })).toEqual([]);
    });

    test("are the last KEPT_REVISIONS", async () => {
      const { store } = opened;
      await store.createAgent(agent(), ann);
      for (let index = 0; index < KEPT_REVISIONS + 1; index++) await store.putConfig(key, config());
      const kept = await store.listConfigs(key, { before: 0, limit: 1_000 });
      expect(kept).toHaveLength(KEPT_REVISIONS);
      expect(kept.at(-1)?.revision).toBe(3);
    });

    test("say which one they copy", async () => {
      const { store } = opened;
      await store.createAgent(agent(), ann);
      await store.putConfig(key, config());
      expect(await store.putConfig(key, config({ rollbackOf: 1, actor: bob }))).toMatchObject({
        revision: 3,
        rollbackOf: 1,
        author: "bob",
      });
      expect((await store.getConfig(key, 2))?.rollbackOf).toBe(0);
    });
  });

  describe("what a guest said of a revision", () => {
    test("is kept with it, the latest word alone", async () => {
      const { store } = opened;
      await store.createAgent(agent(), ann);
      await store.putConfig(key, config());
      await store.recordVerdict(key, 2, { outcome: "refused", reason: "no such model", bootId: "b1" });
      expect((await store.currentConfig(key))?.verdict).toMatchObject({
        outcome: "refused",
        reason: "no such model",
        bootId: "b1",
        time: expect.any(Date) as Date,
      });
      await store.recordVerdict(key, 2, { outcome: "applied", reason: "", bootId: "b2" });
      expect((await store.getConfig(key, 2))?.verdict).toMatchObject({ outcome: "applied", bootId: "b2" });
      expect((await store.getConfig(key, 1))?.verdict.outcome).toBe("none");
    });

    test("is written once if it is the same, and not at all if the revision is gone", async () => {
      const { store } = opened;
      await store.createAgent(agent(), ann);
      const verdict = { outcome: "applied", reason: "", bootId: "b1" } as const;
      await store.recordVerdict(key, 1, verdict);
      const time = (await store.getConfig(key, 1))?.verdict.time;
      await store.recordVerdict(key, 1, verdict);
      await store.recordVerdict(key, 9, verdict);
      await store.recordVerdict({ ...key, id: "none" }, 1, verdict);
      expect((await store.getConfig(key, 1))?.verdict.time).toEqual(time);
      const told = (await store.listAudit({ after: 0, limit: 9 })).filter(
        ({ action }) => action === "config.applied",
      );
      expect(told).toHaveLength(1);
    });

    test("may be anything, and is cut if it is long", async () => {
      const { store } = opened;
      await store.createAgent(agent(), ann);
      const verdict = {
        outcome: "refused",
        reason: `\0\ud800${"x".repeat(MAX_REASON)}`,
        bootId: "\0",
      } as const;
      await store.recordVerdict(key, 1, verdict);
      await store.recordVerdict(key, 1, verdict);
      expect((await store.getConfig(key, 1))?.verdict).toMatchObject({
        reason: `\ufffd\ufffd${"x".repeat(MAX_REASON - 2)}`,
        bootId: "�",
      });
      expect(await store.listAudit({ after: 0, limit: 9 })).toHaveLength(2);
    });
  });

  describe("a raised revision", () => {
    test("has the content of the current one, a number above, and no word of a guest; the old one stays", async () => {
      const { store } = opened;
      const { etag } = await store.createAgent(agent(), ann);
      await store.putConfig(key, config({ actor: bob }));
      await store.recordVerdict(key, 2, { outcome: "applied", reason: "", bootId: "b" });
      const raised = await store.raiseRevision(key, 500);
      expect(raised).toMatchObject({
        revision: 501,
        config: { model: "m" },
        author: "bob",
        rollbackOf: 0,
        verdict: { outcome: "none" },
      });
      expect(await store.currentConfig(key)).toEqual(raised);
      expect(await store.getAgent(key)).toMatchObject({ configRevision: 501 });
      expect((await store.getAgent(key))?.etag).not.toBe(etag);
      const kept = await store.listConfigs(key, { before: 0, limit: 9 });
      expect(kept.map(({ revision }) => revision)).toEqual([501, 2, 1]);
      // A push after it removes nothing either: it is rows that are counted, not numbers.
      await store.putConfig(key, config({ expectedRevision: 501 }));
      expect(await store.listConfigs(key, { before: 0, limit: 9 })).toHaveLength(4);
    });

    test("is the current one if that is higher already, and the log is silent about it", async () => {
      const { store } = opened;
      await store.createAgent(agent(), ann);
      const current = await store.putConfig(key, config());
      expect(await store.raiseRevision(key, 1)).toEqual(current);
      const actions = (await store.listAudit({ after: 0, limit: 9 })).map(({ action }) => action);
      expect(actions).toEqual(["agent.create", "config.push"]);
    });

    test("leaves numbers for pushes, whatever a guest says that it has", async () => {
      const { store } = opened;
      await store.createAgent(agent(), ann);
      const highest = 2 ** 32 - 1 - 2 ** 20;
      for (const above of [2 ** 32 - 1, highest + 1])
        await expect(store.raiseRevision(key, above)).rejects.toMatchObject({ code: "too_many" });
      expect(await store.currentConfig(key)).toMatchObject({ revision: 1 });
      expect(await store.raiseRevision(key, highest)).toMatchObject({ revision: highest + 1 });
      await store.putConfig(key, config());
    });

    test("of an agent that is not there is not_found", async () => {
      await expect(opened.store.raiseRevision(key, 1)).rejects.toMatchObject({ code: "not_found" });
    });
  });

  describe("a refused context entry", () => {
    const put = (context: string, name = "k") =>
      opened.store.putContext(key, { key: name, payload: { context } }, ann);
    const now = async () =>
      (await opened.store.contexts(key)).map(({ key: name, payload }) => [name, payload["context"]]);

    test("gives way to what was before, under another version", async () => {
      await opened.store.createAgent(agent(), ann);
      const before = await put("one");
      const refused = await put("two");
      expect(new Set([before.version, refused.version, ""]).size).toBe(3);
      expect(await opened.store.restoreContext(key, refused, before)).toBe(true);
      const [restored] = await opened.store.contexts(key);
      expect(restored).toMatchObject({ payload: { context: "one" }, updateTime: before.updateTime });
      expect([before.version, refused.version]).not.toContain(restored?.version);
    });

    test("is removed if there was nothing before", async () => {
      await opened.store.createAgent(agent(), ann);
      const refused = await put("one");
      expect(await opened.store.restoreContext(key, refused, undefined)).toBe(true);
      expect(await now()).toEqual([]);
    });

    test("that was a removal comes back", async () => {
      await opened.store.createAgent(agent(), ann);
      const before = await put("one");
      const refused = await put("");
      expect(await opened.store.restoreContext(key, refused, before)).toBe(true);
      expect(await now()).toEqual([["k", "one"]]);
    });

    test("stays gone, or changed, if someone changed it since", async () => {
      await opened.store.createAgent(agent(), ann);
      const before = await put("one");
      const refused = await put("two");
      await put("two");
      expect(await opened.store.restoreContext(key, refused, before)).toBe(false);
      expect(await now()).toEqual([["k", "two"]]);
      await put("");
      expect(await opened.store.restoreContext(key, refused, before)).toBe(false);
      const removal = await put("");
      await put("three");
      expect(await opened.store.restoreContext(key, removal, before)).toBe(false);
      expect(await now()).toEqual([["k", "three"]]);
    });

    test("that was a removal stays gone if the context was filled meanwhile", async () => {
      await opened.store.createAgent(agent(), ann);
      const before = await put("one");
      const refused = await put("");
      for (let index = 0; index < MAX_CONTEXTS; index++) await put("text", `k${index}`);
      expect(await opened.store.restoreContext(key, refused, before)).toBe(false);
      expect(await opened.store.contexts(key)).toHaveLength(MAX_CONTEXTS);
    });

    test("of an agent that is gone is nothing to do", async () => {
      await opened.store.createAgent(agent(), ann);
      const refused = await put("one");
      await opened.store.deleteAgent(key, ann);
      expect(await opened.store.restoreContext(key, refused, undefined)).toBe(false);
    });
  });
}
