import { expect, it } from "vitest";
import { localCaller } from "../../../src/core/access/authorize.ts";
import { createFindAgent } from "../../../src/core/registry/find-agent.ts";
import { StoreError } from "../../../src/store/store.ts";
import { failureOf } from "../../link/connect.ts";
import { startWorld, userOf } from "../world.ts";

it("finds the caller's agent in the fleet without asking the store", async () => {
  const world = await startWorld();
  await world.add("a", "");
  const store = { ...world.store, getAgent: () => Promise.reject(new Error("the store was asked")) };
  const find = createFindAgent({ store, fleet: world.fleet });
  expect(await find(localCaller, "a")).toBe(world.fleet.find({ tenant: localCaller.tenant, id: "a" }));
});

it("takes up an agent that another process has just created", async () => {
  const world = await startWorld();
  const agent = { tenant: "default", id: "late", status: "RUNNING", vsockCid: 0, address: "" } as const;
  await world.store.createAgent(agent, { subject: "other", credential: "cli" });
  const found = await createFindAgent(world)(localCaller, "late");
  expect(found).toBe(world.fleet.find(agent));
});

it("says AGENT_NOT_FOUND for no agent and for another tenant's, and names the id", async () => {
  const world = await startWorld();
  await world.add("a", "");
  const find = createFindAgent(world);
  for (const [caller, id] of [
    [localCaller, "b"],
    [userOf("acme", "ann"), "a"],
  ] as const)
    expect(await failureOf(Promise.resolve(find(caller, id)))).toMatchObject({
      reason: "AGENT_NOT_FOUND",
      metadata: { agent_id: id },
    });
});

it("says STORE_UNAVAILABLE, with the agent's id, if the store can't be asked", async () => {
  const world = await startWorld();
  const away = () => Promise.reject(new StoreError("unavailable", "the store failed"));
  const find = createFindAgent({ store: { ...world.store, getAgent: away }, fleet: world.fleet });
  expect(await failureOf(Promise.resolve(find(localCaller, "a")))).toMatchObject({
    reason: "STORE_UNAVAILABLE",
    metadata: { agent_id: "a" },
  });
});
