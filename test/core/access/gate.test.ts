import { expect, it } from "vitest";
import { createGate } from "../../../src/core/access/gate.ts";
import { createQuota, type QuotaLimits } from "../../../src/core/access/quota.ts";
import type { Caller } from "../../../src/core/types.ts";
import { failureOf } from "../../link/connect.ts";

const none: QuotaLimits = {
  tenantRequestsPerSecond: 0,
  keyRequestsPerSecond: 0,
  tenantRuns: 0,
  keyRuns: 0,
};

const callerOf = (tenant: string): Caller => ({
  tenant,
  subject: "ann",
  credential: "key:1",
  permissions: new Set(["agents:read"]),
});

const noted: object[] = [];
const onDenied = (caller: Caller, agentId: string, detail: object) =>
  void noted.push({ caller, agentId, detail });

it("reports a denial with the action and the permission that was missing", () => {
  const gate = createGate(createQuota(none), onDenied);
  expect(gate.check(callerOf("acme"), "status", "a1")).toBeUndefined();
  expect(noted).toEqual([]);
  expect(() => gate.check(callerOf("acme"), "pushConfig", "a1")).toThrow(/agents:admin/);
  expect(noted.splice(0)).toMatchObject([
    { caller: callerOf("acme"), agentId: "a1", detail: { action: "pushConfig", permission: "agents:admin" } },
  ]);
});

it("admits a caller by the door that it comes to, and counts its request once, whatever calls it makes", async () => {
  const gate = createGate(createQuota({ ...none, keyRequestsPerSecond: 2 }), onDenied);
  const enter = async () => gate.admit(callerOf("acme"), "GET /agents/:id", "a1");
  const admitted = await enter();
  for (let call = 0; call < 5; call++) await gate.check(admitted, "status", "a1");
  expect(await enter()).toMatchObject({ tenant: "acme" });
  expect(await failureOf(enter())).toMatchObject({ reason: "RATE_LIMITED" });
  expect(() => gate.admit(callerOf("acme"), "GET /nowhere")).toThrow(/not in the access table/);
});

it("turns away who may not, before anything of its request is read, and reports it", () => {
  const gate = createGate(createQuota(none), onDenied);
  const door = "valinor.v1.AgentProxy/PushConfig";
  expect(() => gate.admit(callerOf("acme"), door)).toThrow(/agents:admin/);
  expect(noted.splice(0)).toMatchObject([{ agentId: "", detail: { action: "pushConfig" } }]);
});

it("counts a request before it looks at its permission, so that denials are bounded as well", async () => {
  const gate = createGate(createQuota({ ...none, keyRequestsPerSecond: 2 }), onDenied);
  const check = () => failureOf(Promise.resolve(gate.check(callerOf("acme"), "deleteAgent", "a1")));
  expect(await check()).toMatchObject({ reason: "PERMISSION_DENIED" });
  expect(await check()).toMatchObject({ reason: "PERMISSION_DENIED" });
  expect(await check()).toMatchObject({ reason: "RATE_LIMITED" });
  expect(noted.splice(0)).toHaveLength(2);
});
