import type { Actor } from "../../store/audit.ts";
import { ValinorError } from "../errors.ts";
import type { Caller, Permission } from "../types.ts";

/** What it takes to do something, and by which doors one comes to it. */
export interface AccessRow {
  readonly permission: Permission;
  /** The RPC, as `valinor.v1.Service/Method`. Absent: it is part of other calls. */
  readonly rpc?: string;
  /** The REST routes, as `METHOD /path` without the prefix `/api/v1`; GET covers HEAD. */
  readonly routes?: readonly string[];
}

/**
 * The access table: everything that a caller can ask for, whatever speaks it. Every RPC and route is here
 * (test/core/access/authorize.test.ts), and every call comes through it (gate.ts).
 */
const access = {
  send: {
    permission: "agents:write",
    rpc: "valinor.v1.AgentProxy/SendMessage",
    routes: ["POST /agents/:id/message", "POST /v1/chat/completions"],
  },
  stream: {
    permission: "agents:write",
    rpc: "valinor.v1.AgentProxy/Stream",
    routes: ["GET /agents/:id/stream", "POST /agents/:id/stream", "POST /v1/chat/completions"],
  },
  cancel: {
    permission: "agents:write",
    rpc: "valinor.v1.AgentProxy/CancelMessage",
    routes: ["POST /agents/:id/cancel"],
  },
  pushConfig: { permission: "agents:admin", rpc: "valinor.v1.AgentProxy/PushConfig" },
  pushContext: {
    permission: "agents:write",
    rpc: "valinor.v1.AgentProxy/PushContext",
    routes: ["POST /agents/:id/context"],
  },
  status: {
    permission: "agents:read",
    rpc: "valinor.v1.AgentProxy/GetAgentStatus",
    routes: ["GET /agents/:id"],
  },
  createAgent: { permission: "agents:admin", rpc: "valinor.v1.AgentRegistry/CreateAgent" },
  getAgent: {
    permission: "agents:read",
    rpc: "valinor.v1.AgentRegistry/GetAgent",
    routes: ["GET /v1/models/:id"],
  },
  listAgents: {
    permission: "agents:read",
    rpc: "valinor.v1.AgentRegistry/ListAgents",
    routes: ["GET /agents", "GET /v1/models"],
  },
  updateAgent: { permission: "agents:admin", rpc: "valinor.v1.AgentRegistry/UpdateAgent" },
  deleteAgent: { permission: "agents:admin", rpc: "valinor.v1.AgentRegistry/DeleteAgent" },
  watchAgents: { permission: "agents:read", rpc: "valinor.v1.AgentRegistry/WatchAgents" },
  listConfigRevisions: { permission: "agents:read", rpc: "valinor.v1.AgentRegistry/ListConfigRevisions" },
  rollbackConfig: { permission: "agents:admin", rpc: "valinor.v1.AgentRegistry/RollbackConfig" },
  /** Naming an address or a CID, in CreateAgent or UpdateAgent: it decides what the host connects to. */
  setAddress: { permission: "platform:admin" },
} as const satisfies Record<string, AccessRow>;

/** Name of something that a caller can ask for. */
export type Action = keyof typeof access;

/** The access table's rows by action. */
export const accessTable: Readonly<Record<Action, AccessRow>> = access;

const doors = new Map<string, Action>();
for (const [action, row] of Object.entries(accessTable) as [Action, AccessRow][])
  for (const door of [row.rpc ?? [], row.routes ?? []].flat()) if (!doors.has(door)) doors.set(door, action);

/**
 * The action behind an RPC or REST route, named as in the table. If a route leads to several actions it is the first: all of them take the
 * same permission. Throws Error for a route that is not in the table.
 */
export function actionAt(door: string): Action {
  const action = doors.get(door);
  if (action === undefined) throw new Error(`${door} is not in the access table`);
  return action;
}

/** The permission that an action takes. */
export function permissionOf(action: Action): Permission {
  return access[action].permission;
}

/**
 * Throws PERMISSION_DENIED if the caller may not do this. Permissions don't imply one another (roles bundle them), but
 * `platform:admin` passes everywhere.
 */
export function authorize(caller: Caller, action: Action): void {
  const needed = permissionOf(action);
  if (caller.permissions.has(needed) || caller.permissions.has("platform:admin")) return;
  throw new ValinorError("PERMISSION_DENIED", `this needs the permission ${needed}`);
}

/** Every permission. */
export const allPermissions: readonly Permission[] = [
  "agents:read",
  "agents:write",
  "agents:admin",
  "platform:admin",
];

/** The fixed identity of a server without authentication, which listens on loopback only. */
export const localCaller: Caller = {
  tenant: "default",
  subject: "local",
  credential: "local",
  permissions: new Set(allPermissions),
};

/** Who calls, as revisions and the audit log name it. */
export function actorOf(caller: Caller): Actor {
  return { subject: caller.subject, credential: caller.credential };
}
