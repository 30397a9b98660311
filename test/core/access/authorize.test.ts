import { describe, expect, it } from "vitest";
import { AgentProxy } from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { accessTable, type Action, authorize } from "../../../src/core/access/authorize.ts";
import type { Caller, Permission } from "../../../src/core/types.ts";
import { restRoutes } from "../../../src/http/api.ts";

const rows = Object.values(accessTable);
const sorted = (texts: Iterable<string>) => [...new Set(texts)].toSorted();

describe("the access table", () => {
  it("has every RPC once, and no other", () => {
    const served = [AgentProxy, AgentRegistry].flatMap((service) =>
      service.methods.map((method) => `${service.typeName}/${method.name}`),
    );
    expect(rows.flatMap(({ rpc }) => rpc ?? []).toSorted()).toEqual(served.toSorted());
  });

  it("has every REST route, and no other", () => {
    const served = restRoutes.flatMap(({ methods, path }) =>
      methods.filter((method) => method !== "HEAD").map((method) => `${method} ${path}`),
    );
    expect(sorted(rows.flatMap(({ routes }) => routes ?? []))).toEqual(sorted(served));
  });

  it("asks the same permission of a route, whatever it turns out to do", () => {
    const asked = new Map<string, Set<Permission>>();
    for (const { routes = [], permission } of rows)
      for (const route of routes) asked.set(route, (asked.get(route) ?? new Set()).add(permission));
    for (const [route, permissions] of asked) expect([route, permissions.size]).toEqual([route, 1]);
  });
});

describe("a caller", () => {
  const callerWith = (...permissions: Permission[]): Caller => ({
    tenant: "acme",
    subject: "ann",
    credential: "key:1",
    permissions: new Set(permissions),
  });
  const actions = Object.keys(accessTable) as Action[];

  it.each(actions)("may %s with that permission or platform:admin alone", (action) => {
    const { permission } = accessTable[action];
    authorize(callerWith(permission), action);
    authorize(callerWith("platform:admin"), action);
    const others = (["agents:read", "agents:write", "agents:admin"] as const).filter(
      (other) => other !== permission,
    );
    expect(() => authorize(callerWith(...others), action)).toThrow(/needs the permission/);
    expect(() => authorize(callerWith(), action)).toThrow(/needs the permission/);
  });
});
