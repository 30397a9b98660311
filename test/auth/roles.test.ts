import { expect, it } from "vitest";
import { defaultRoles, isPermission, permissionsOf } from "../../src/auth/roles.ts";

it("gives what the named roles have together, each permission once", () => {
  const given = permissionsOf(["viewer", "operator"], defaultRoles);
  expect([...given]).toEqual(["agents:read", "agents:write"]);
});

it("gives nothing for a role that is not known, names of every object's own included", () => {
  expect(permissionsOf(["root", "constructor", "__proto__"], defaultRoles).size).toBe(0);
});

it("has the platform's permission in no role of a tenant", () => {
  for (const role of ["viewer", "operator", "admin"])
    expect(permissionsOf([role], defaultRoles).has("platform:admin")).toBe(false);
});

it("knows permissions by their exact names", () => {
  expect(isPermission("agents:read")).toBe(true);
  expect(isPermission("agents:READ")).toBe(false);
});
