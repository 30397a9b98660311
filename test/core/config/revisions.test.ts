import { create, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { ListConfigRevisionsResponseSchema } from "../../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { describe, expect, it } from "vitest";
import type { ToolPolicyInput } from "../../../src/core/inputs.ts";
import { revisionToProto } from "../../../src/rpc/agent-messages.ts";
import { until } from "../../helpers/until.ts";
import { failureOf, forever } from "../../link/connect.ts";
import { startGuest } from "../../link/fake-guest.ts";
import { startWorld, userOf } from "../world.ts";

const ann = userOf("acme", "ann");
const all: ToolPolicyInput = { mode: "all", tools: [] };

async function world() {
  const made = await startWorld({ configMs: 500 });
  const guest = await startGuest();
  await made.core.createAgent(ann, { id: "a", status: "RUNNING", vsockCid: 0, address: guest.address });
  const list = (pageSize = 0, pageToken = "") =>
    made.core.listConfigRevisions(ann, { agentId: "a", pageSize, pageToken });
  return {
    ...made,
    guest,
    list,
    push: (config: JsonObject, policy = all, caller = ann) =>
      made.core.pushConfig(caller, { agentId: "a", config, policy, expectedRevision: 0 }, forever),
    /** The list, once the agent's word on the newest revision is written down. */
    listed: () =>
      until("the verdict is written", async () => {
        const page = await list();
        return page.revisions[0]?.verdict.outcome === "applied" ? page : undefined;
      }),
    rollback: (revision: number, expectedRevision = 0) =>
      made.core.rollbackConfig(ann, { agentId: "a", revision, expectedRevision }, forever),
  };
}

describe("the revisions of an agent's configuration", () => {
  it("are listed with who, when, what changed, and what became of them, the newest first", async () => {
    const { push, listed } = await world();
    await push({ model: "m", limits: { turns: 3 } });
    await push(
      { model: "m", limits: { turns: 4, "a/b": 1 } },
      { mode: "listed", tools: ["x"] },
      userOf("acme", "bob"),
    );
    const { revisions, nextPageToken } = await listed();
    expect(nextPageToken).toBe("");
    expect(revisions).toMatchObject([
      {
        revision: 3,
        author: "bob",
        config: { model: "m", limits: { turns: 4, "a/b": 1 } },
        policy: { mode: "listed", tools: ["x"] },
        changedPaths: [
          "/config/limits/turns",
          "/config/limits/a~1b",
          "/tool_policy/mode",
          "/tool_policy/tools",
        ],
        verdict: { outcome: "applied", reason: "" },
      },
      { revision: 2, author: "ann", changedPaths: ["/config/model", "/config/limits"] },
      { revision: 1, changedPaths: [] },
    ]);
    for (const { createTime, sha256 } of revisions) {
      expect(Math.abs(createTime.getTime() - Date.now())).toBeLessThan(60_000);
      expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  it("come page by page, each with what changed since the one before, whatever the pages", async () => {
    const { push, list, listed } = await world();
    for (let n = 2; n < 13; n++) await push({ [`k${n}`]: n });
    const whole = (await listed()).revisions;
    for (const size of [1, 3, 8, 11, 12]) {
      const pages = [];
      for (let token = "", more = true; more; more = token !== "") {
        const page = await list(size, token);
        expect(page.revisions.length).toBeLessThanOrEqual(size);
        pages.push(...page.revisions);
        token = page.nextPageToken;
      }
      expect(pages).toEqual(whole);
    }
    expect(whole.map(({ revision }) => revision)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  it("come in pages that no client refuses for their size", async () => {
    const { push, list } = await world();
    for (let n = 0; n < 4; n++) await push({ n, text: "x".repeat(900_000) });
    const first = await list();
    expect(first.revisions.map(({ revision }) => revision)).toEqual([5, 4, 3]);
    expect((await list(0, first.nextPageToken)).revisions.map(({ revision }) => revision)).toEqual([2, 1]);
  });

  it("come in such pages even if protobuf makes them many times larger than JSON does", async () => {
    const { push, list } = await world();
    for (let n = 0; n < 4; n++) await push({ n, numbers: Array.from({ length: 90_000 }, () => 1) });
    const pages = [];
    for (let token = "", more = true; more; more = token !== "") {
      const page = await list(0, token);
      token = page.nextPageToken;
      pages.push(page.revisions.map(({ revision }) => revision));
      const sent = create(ListConfigRevisionsResponseSchema, {
        revisions: page.revisions.map(revisionToProto),
      });
      expect(toBinary(ListConfigRevisionsResponseSchema, sent).length).toBeLessThan(3.1 * 1024 * 1024);
    }
    expect(pages).toEqual([
      [5, 4, 3],
      [2, 1],
    ]);
  });
});

describe("rolling back", () => {
  it("makes a new revision of an old one, which the agent gets", async () => {
    const { push, rollback, list, guest } = await world();
    await push({ n: 1 }, { mode: "listed", tools: ["t"] });
    await push({ n: 2 });
    expect(await rollback(2, 3)).toEqual({ revision: 4, applied: true, reason: "" });
    const [first, , third] = (await list()).revisions;
    expect(first).toMatchObject({ revision: 4, config: { n: 1 }, rollbackOf: 2, author: "ann" });
    expect(first?.sha256).toBe(third?.sha256);
    const pushed = guest.sessions[0]?.received.findLast(({ type }) => type === "config_update")?.payload;
    expect(pushed).toMatchObject({
      revision: 4,
      config: { n: 1 },
      tool_policy: { mode: "listed", tools: ["t"] },
    });
  });

  it("is refused for a revision that is not kept, and if another one is current", async () => {
    const { push, rollback } = await world();
    await push({ n: 1 });
    expect(await failureOf(rollback(9))).toMatchObject({ reason: "REVISION_NOT_FOUND", code: "not_found" });
    expect(await failureOf(rollback(1, 1))).toMatchObject({ reason: "REVISION_CONFLICT" });
    expect(await rollback(1, 2)).toMatchObject({ revision: 3 });
  });
});
