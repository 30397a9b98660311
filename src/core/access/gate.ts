import type { JsonObject } from "@bufbuild/protobuf";
import { type Action, actionAt, authorize, permissionOf } from "./authorize.ts";
import { toValinorError } from "../errors.ts";
import type { Quota } from "./quota.ts";
import type { Caller } from "../types.ts";

/** What every call passes before it does anything. */
export interface Gate {
  /**
   * What a request passes when its headers are there and before its body is read: counts it, and checks that its caller may come through
   * this door (an RPC or route, named as in the access table). The answer is the caller to make the request's calls with: they are
   * not counted again. Rejects (or throws) as check does.
   */
  admit(caller: Caller, door: string, agentId?: string): Caller | Promise<Caller>;
  /**
   * Counts the request and checks that the caller may do this; if it returns undefined or resolves, the caller may. Rejects (or throws)
   * with RATE_LIMITED or PERMISSION_DENIED; a denial is reported. `agentId` names the agent that the action is about, if there is one.
   */
  check(caller: Caller, action: Action, agentId?: string): Promise<void> | undefined;
  /** As check, for a further action of a request that was counted already. Throws PERMISSION_DENIED. */
  allow(caller: Caller, action: Action, agentId?: string): void;
}

/** Told of each action that was denied; `agentId` is empty if the action is about no single agent. */
export type OnDenied = (caller: Caller, agentId: string, detail: JsonObject) => void;

/** Makes the gate of the calls. */
export function createGate(quota: Quota, onDenied: OnDenied): Gate {
  const allow = (caller: Caller, action: Action, agentId = "") => {
    try {
      authorize(caller, action);
    } catch (error) {
      if (toValinorError(error).reason === "PERMISSION_DENIED")
        onDenied(caller, agentId, { action, permission: permissionOf(action) });
      throw error;
    }
  };
  const check: Gate["check"] = (caller, action, agentId) => {
    const isCounted = caller instanceof AdmittedCaller && caller.by === gate;
    const count = isCounted ? undefined : quota.request(caller);
    if (count !== undefined) return count.then(() => allow(caller, action, agentId));
    allow(caller, action, agentId);
    return undefined;
  };
  const gate: Gate = {
    allow,
    check,
    admit(caller, door, agentId) {
      const checked = check(caller, actionAt(door), agentId);
      if (checked === undefined) return new AdmittedCaller(caller, gate);
      return checked.then(() => new AdmittedCaller(caller, gate));
    },
  };
  return gate;
}

/** A caller whose request was counted. A copy that names another tenant is none. */
class AdmittedCaller implements Caller {
  readonly tenant: string;
  readonly subject: string;
  readonly permissions: Caller["permissions"];
  readonly credential: string;
  declare readonly recheck?: () => Promise<void>;
  /** By which gate. */
  readonly #by: Gate;

  constructor(caller: Caller, by: Gate) {
    this.tenant = caller.tenant;
    this.subject = caller.subject;
    this.permissions = caller.permissions;
    this.credential = caller.credential;
    if (caller.recheck !== undefined) this.recheck = caller.recheck;
    this.#by = by;
  }

  get by(): Gate {
    return this.#by;
  }
}
