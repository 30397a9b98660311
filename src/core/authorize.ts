import { ValinorError } from "./errors.ts";
import type { Caller, Permission } from "./types.ts";

/** What a caller can ask for, and the permission it takes: one row for every call, whatever speaks it. */
const access = {
  send: "agents:write",
  stream: "agents:write",
  cancel: "agents:write",
  pushConfig: "agents:admin",
  pushContext: "agents:write",
  status: "agents:read",
  createAgent: "agents:admin",
  getAgent: "agents:read",
  listAgents: "agents:read",
  deleteAgent: "agents:admin",
  /** Naming an address or a CID: it decides what the host connects to. */
  setAddress: "platform:admin",
} as const satisfies Record<string, Permission>;

/** Name of something that a caller can ask for. */
export type Action = keyof typeof access;

/** Throws PERMISSION_DENIED where the caller may not do this. Every call comes through here. */
export function authorize(caller: Caller, action: Action): void {
  const needed = access[action];
  if (caller.permissions.has(needed) || caller.permissions.has("platform:admin")) return;
  throw new ValinorError("PERMISSION_DENIED", `this needs the permission ${needed}`);
}

/** The fixed identity of a server without authentication, which listens on loopback only. */
export const localCaller: Caller = {
  tenant: "default",
  subject: "local",
  permissions: new Set(["agents:read", "agents:write", "agents:admin", "platform:admin"]),
};
