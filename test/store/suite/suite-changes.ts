import { describe, expect, test } from "vitest";
import { type AgentCondition, StoreError } from "../../../src/store/store.ts";
import { agent, ann, bob, config, key } from "../records.ts";
import type { Opened } from "./suite-database.ts";

/** Changes of agents, what tells of them, and filtered lists. */
export function changeTests(opened: Opened): void {
  describe("changes of agents", () => {
    test("what is given changes, the rest stays, and the etag is another one", async () => {
      const { store } = opened;
      const before = await store.createAgent(agent({ vsockCid: 7, address: "tcp://127.0.0.1:1" }), ann);
      const after = await store.updateAgent(key, { status: "STOPPED", vsockCid: 8 }, before.etag, bob);
      expect(after).toMatchObject({
        ...key,
        status: "STOPPED",
        vsockCid: 8,
        address: "tcp://127.0.0.1:1",
        configRevision: 1,
        createTime: before.createTime,
      });
      expect(after.etag).not.toBe(before.etag);
      expect(after.updateTime.getTime()).toBeGreaterThanOrEqual(before.updateTime.getTime());
      expect(await store.getAgent(key)).toEqual(after);
    });

    test("an etag that is not the current one is etag_conflict, and nothing changes; none is any", async () => {
      const { store } = opened;
      const { etag } = await store.createAgent(agent(), ann);
      const current = await store.updateAgent(key, { status: "STOPPED" }, "", ann);
      await expect(store.updateAgent(key, { status: "FAILED" }, etag, ann)).rejects.toMatchObject({
        code: "etag_conflict",
      });
      expect(await store.getAgent(key)).toEqual(current);
    });

    test("of two changes at once that hold the same etag exactly one wins", async () => {
      const { store } = opened;
      const { etag } = await store.createAgent(agent(), ann);
      const results = await Promise.allSettled(
        (["STOPPED", "FAILED"] as const).map((status) => store.updateAgent(key, { status }, etag, ann)),
      );
      expect(results.map((result) => result.status).toSorted()).toEqual(["fulfilled", "rejected"]);
      const lost = results.find((result) => result.status === "rejected");
      expect(lost?.reason).toMatchObject({ code: "etag_conflict" });
    });

    test("a change to what is there already keeps the etag, and the log is silent about it", async () => {
      const { store } = opened;
      const before = await store.createAgent(agent({ vsockCid: 7 }), ann);
      expect(await store.updateAgent(key, { vsockCid: 7, status: "RUNNING" }, before.etag, ann)).toEqual(
        before,
      );
      const actions = (await store.listAudit({ after: 0, limit: 9 })).map(({ action }) => action);
      expect(actions).toEqual(["agent.create"]);
    });

    test("an agent that is not there is not_found", async () => {
      await expect(opened.store.updateAgent(key, {}, "", ann)).rejects.toMatchObject({ code: "not_found" });
    });

    test("an agent that starts, or moves, cannot take what another live one has", async () => {
      const { store } = opened;
      const [address, vsockCid] = ["tcp://127.0.0.1:9103", 7];
      await store.createAgent(agent({ tenant: "other", address, vsockCid }), bob);
      await store.createAgent(agent({ id: "stopped", status: "STOPPED", address }), ann);
      await store.createAgent(agent({ id: "live" }), ann);
      const taken = { code: "address_taken" };
      await expect(
        store.updateAgent({ ...key, id: "stopped" }, { status: "RUNNING" }, "", ann),
      ).rejects.toMatchObject(taken);
      await expect(store.updateAgent({ ...key, id: "live" }, { vsockCid }, "", ann)).rejects.toMatchObject(
        taken,
      );
      await store.updateAgent({ tenant: "other", id: key.id }, { status: "FAILED" }, "", bob);
      await store.updateAgent({ ...key, id: "stopped" }, { status: "RUNNING" }, "", ann);
    });

    test("an agent may keep its own address when it changes", async () => {
      const { store } = opened;
      await store.createAgent(
        agent({ status: "PROVISIONING", address: "tcp://127.0.0.1:1", vsockCid: 7 }),
        ann,
      );
      expect(await store.updateAgent(key, { status: "RUNNING" }, "", ann)).toMatchObject({
        status: "RUNNING",
      });
    });

    test("of two agents that take one address at once exactly one gets it", async () => {
      const { store } = opened;
      const [first, second] = [
        { ...key, id: "x" },
        { ...key, id: "y" },
      ] as const;
      for (const each of [first, second]) await store.createAgent(agent(each), ann);
      const other = await opened.database.open();
      try {
        const results = await Promise.allSettled([
          store.updateAgent(first, { address: "tcp://127.0.0.1:1" }, "", ann),
          other.updateAgent(second, { address: "tcp://127.0.0.1:1" }, "", ann),
          store.createAgent(agent({ id: "z", address: "tcp://127.0.0.1:1" }), ann),
        ]);
        const lost = results.filter((result) => result.status === "rejected");
        expect(lost).toHaveLength(2);
        for (const { reason } of lost) expect(reason).toMatchObject({ code: "address_taken" });
      } finally {
        await other.close();
      }
    });

    test("of many that are created at once each is judged as if it came after those before it", async () => {
      const { store } = opened;
      const address = "tcp://127.0.0.1:1";
      await store.createAgent(agent({ id: "old", vsockCid: 7, address }), ann);
      await store.createAgent(agent({ id: "stopped", status: "STOPPED", vsockCid: 9 }), ann);
      const before = await store.listAudit({ after: 0, limit: 99 });
      const list = [
        agent({ id: "old" }),
        agent({ id: "b", vsockCid: 7 }),
        agent({ id: "c", address }),
        agent({ id: "d", vsockCid: 9 }),
        agent({ id: "e", vsockCid: 9 }),
        agent({ id: "d" }),
        agent({ id: "f", status: "STOPPED", address }),
        agent({ tenant: "other", id: "d", address: "tcp://127.0.0.1:2" }),
      ];
      const results = await store.createAgents(list, bob);
      const told = results.map((result) => (result instanceof StoreError ? result.message : result.id));
      expect(told).toEqual([
        "agent old exists",
        "vsock CID 7 belongs to another live agent",
        `address ${address} belongs to another live agent`,
        "d",
        "vsock CID 9 belongs to another live agent",
        "agent d exists",
        "f",
        "d",
      ]);
      for (const created of results.flatMap((result) => (result instanceof StoreError ? [] : [result]))) {
        expect(await store.getAgent(created)).toEqual(created);
        expect(await store.currentConfig(created)).toMatchObject({ revision: 1, config: {}, author: "bob" });
      }
      const entries = (await store.listAudit({ after: 0, limit: 99 })).slice(before.length);
      expect(entries.map(({ tenant, agentId, action }) => `${tenant}/${agentId} ${action}`)).toEqual([
        "acme/d agent.create",
        "acme/f agent.create",
        "other/d agent.create",
      ]);
      const again = await store.createAgents(list.slice(3, 4), bob);
      expect(again).toEqual([expect.objectContaining({ code: "exists" })]);
    });

    test("marks page through every tenant, and change with their agents", async () => {
      const { store } = opened;
      for (const tenant of ["t1", "t0"])
        for (const id of ["b", "B", "a"]) await store.createAgent(agent({ tenant, id }), ann);
      const first = await store.agentMarks({ limit: 2 });
      expect(first.map(({ tenant, id }) => `${tenant}/${id}`)).toEqual(["t0/B", "t0/a"]);
      const rest = await store.agentMarks({ after: { tenant: "t0", id: "a" }, limit: 9 });
      expect(rest.map(({ tenant, id }) => `${tenant}/${id}`)).toEqual(["t0/b", "t1/B", "t1/a", "t1/b"]);
      const before = await store.agentMarks({ limit: 9 });
      await store.putConfig({ tenant: "t1", id: "a" }, config());
      const after = await store.agentMarks({ limit: 9 });
      const changed = after.filter((mark, index) => mark.etag !== before[index]?.etag);
      expect(changed.map(({ tenant, id }) => `${tenant}/${id}`)).toEqual(["t1/a"]);
    });
  });

  describe("a filtered list", () => {
    const conditions: [string, AgentCondition[], string[]][] = [
      ["nothing", [], ["Ab", "a_b", "ab", "b"]],
      ["a status", [{ field: "status", op: "eq", value: "STOPPED" }], ["ab"]],
      ["another status", [{ field: "status", op: "ne", value: "STOPPED" }], ["Ab", "a_b", "b"]],
      ["a CID", [{ field: "vsockCid", op: "eq", value: 4294967294 }], ["b"]],
      ["the start of an id, case and all", [{ field: "id", op: "prefix", value: "a" }], ["a_b", "ab"]],
      ["a start in which _ and % are themselves", [{ field: "id", op: "prefix", value: "a_" }], ["a_b"]],
      ["another start", [{ field: "id", op: "notPrefix", value: "a" }], ["Ab", "b"]],
      ["the empty start", [{ field: "address", op: "prefix", value: "" }], ["Ab", "a_b", "ab", "b"]],
      ["the start of an address", [{ field: "address", op: "prefix", value: "tcp://é" }], ["Ab"]],
      [
        "all of several conditions",
        [
          { field: "id", op: "ne", value: "ab" },
          { field: "address", op: "eq", value: "" },
        ],
        ["a_b", "b"],
      ],
      ["a text that no agent has, NUL and all", [{ field: "id", op: "eq", value: "a\0\ud800" }], []],
    ];
    test.each(conditions)("has the agents that match %s", async (_, filter, expected) => {
      const { store } = opened;
      await store.createAgent(agent({ id: "ab", status: "STOPPED", address: "unix:///x" }), ann);
      await store.createAgent(agent({ id: "Ab", address: "tcp://é%" }), ann);
      await store.createAgent(agent({ id: "a_b" }), ann);
      await store.createAgent(agent({ id: "b", vsockCid: 4294967294 }), ann);
      await store.createAgent(agent({ tenant: "other", id: "ab" }), ann);
      const found = await store.listAgents("acme", { afterId: "", limit: 9, filter });
      expect(found.map(({ id }) => id)).toEqual(expected);
    });

    test("has full pages, whatever is left out between", async () => {
      const { store } = opened;
      for (const id of ["a1", "b1", "a2", "b2", "a3"]) await store.createAgent(agent({ id }), ann);
      const filter = [{ field: "id", op: "prefix", value: "a" }] as const;
      const page = await store.listAgents("acme", { afterId: "a1", limit: 2, filter });
      expect(page.map(({ id }) => id)).toEqual(["a2", "a3"]);
    });
  });
}
