import { allPermissions } from "../core/access/authorize.ts";
import type { Permission } from "../core/types.ts";

/** The roles, unless the configuration has others. */
export const defaultRoles: Readonly<Record<string, readonly Permission[]>> = {
  viewer: ["agents:read"],
  operator: ["agents:read", "agents:write"],
  admin: ["agents:read", "agents:write", "agents:admin"],
  platform: ["platform:admin"],
};

/** Whether a text names a permission. */
export function isPermission(text: string): text is Permission {
  return (allPermissions as readonly string[]).includes(text);
}

/** What the named roles give together; a role that is not known gives nothing. */
export function permissionsOf(
  names: readonly string[],
  roles: Readonly<Record<string, readonly Permission[]>>,
): ReadonlySet<Permission> {
  return new Set(names.flatMap((name) => (Object.hasOwn(roles, name) ? (roles[name] ?? []) : [])));
}
