import { translate } from "../guest-errors.ts";
import type { Caller } from "../types.ts";
import { monotonicNow } from "@valinor/protocol";

/** Looks time and again whether a caller may go on. */
export interface Recheck {
  /** Milliseconds until the next look; Infinity if the credential never expires. */
  dueMs(): number;
  /** Looks if it is time to. Rejects with the error that ends the call. */
  ifDue(): Promise<void>;
  /** Looks now. Rejects as ifDue. */
  now(): Promise<void>;
}

/**
 * Rechecks a caller every `everyMs`. If nobody can tell (the store is away), the call goes on, and is looked at again after
 * `retryMs`: a caller that was let in before stays until the answer is no.
 */
export function createRecheck(caller: Caller, everyMs: number, retryMs: number): Recheck {
  let dueAt = monotonicNow() + everyMs;
  const recheck: Recheck = {
    dueMs: () => (caller.recheck === undefined ? Infinity : Math.max(0, dueAt - monotonicNow())),
    async ifDue() {
      if (recheck.dueMs() === 0) await recheck.now();
    },
    async now() {
      try {
        await caller.recheck?.();
        dueAt = monotonicNow() + everyMs;
      } catch (error) {
        const failure = translate(error);
        if (failure.code !== "unavailable") throw failure;
        dueAt = monotonicNow() + retryMs;
      }
    },
  };
  return recheck;
}
