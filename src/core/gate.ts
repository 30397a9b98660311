import type { Audit } from "./audit.ts";
import { type Action, authorize, permissionOf } from "./authorize.ts";
import { toValinorError } from "./errors.ts";
import type { Quota } from "./quota.ts";
import type { Caller } from "./types.ts";

/** What every call passes before it does anything. */
export interface Gate {
  /**
   * Counts the request and checks that the caller may do this; undefined or resolved: it may. Rejects (or throws) with
   * RATE_LIMITED or PERMISSION_DENIED; a denial is written to the audit log. `agentId`: the agent that it is about, where there is one.
   */
  check(caller: Caller, action: Action, agentId?: string): Promise<void> | undefined;
  /** As check, for a further action of a request that was counted already. Throws PERMISSION_DENIED. */
  allow(caller: Caller, action: Action, agentId?: string): void;
}

/** Makes the gate of the calls. */
export function createGate(options: { readonly quota: Quota; readonly audit: Audit }): Gate {
  const { quota, audit } = options;
  const allow = (caller: Caller, action: Action, agentId = "") => {
    try {
      authorize(caller, action);
    } catch (error) {
      if (toValinorError(error).reason === "PERMISSION_DENIED")
        audit.note(caller, "denied", agentId, { action, permission: permissionOf(action) });
      throw error;
    }
  };
  return {
    allow,
    check(caller, action, agentId) {
      const counted = quota.request(caller);
      if (counted !== undefined) return counted.then(() => allow(caller, action, agentId));
      allow(caller, action, agentId);
      return undefined;
    },
  };
}
