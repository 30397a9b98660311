import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { ValinorError } from "../errors.ts";
import type { Caller } from "../types.ts";

/** Bounds what a tenant, and each credential of it, may ask for. */
export interface Quota {
  /** Counts a request; undefined if nothing bounds it. Rejects with RATE_LIMITED, which says how long to wait. */
  request(caller: Caller): Promise<void> | undefined;
  /** Counts a run that begins or is attached to; the answer ends it (twice is once). Throws RATE_LIMITED. */
  run(caller: Caller): () => void;
}

/** The bounds; 0: none, which costs nothing. */
export interface QuotaLimits {
  readonly tenantRequestsPerSecond: number;
  /** Of each credential and subject. */
  readonly keyRequestsPerSecond: number;
  /** Runs in flight: those that are being read, by `send` or a stream. */
  readonly tenantRuns: number;
  /** Of each credential and subject. */
  readonly keyRuns: number;
}

/** Makes the counters of one process. Each replica counts by itself. */
export function createQuota(limits: QuotaLimits): Quota {
  const key = requestCounter("credential", limits.keyRequestsPerSecond);
  const tenant = requestCounter("tenant", limits.tenantRequestsPerSecond);
  const keyRuns = runCounter("credential", limits.keyRuns);
  const tenantRuns = runCounter("tenant", limits.tenantRuns);
  return {
    request(caller) {
      if (key === undefined) return tenant?.(caller.tenant);
      const counted = key(credentialOf(caller));
      // What a credential asks for beyond its own bound is not counted against its tenant.
      return tenant === undefined ? counted : counted.then(() => tenant(caller.tenant));
    },
    run(caller) {
      const leaveKey = keyRuns(credentialOf(caller));
      try {
        return once(leaveKey, tenantRuns(caller.tenant));
      } catch (error) {
        leaveKey();
        throw error;
      }
    },
  };
}

/** Two users of one issuer, and two keys of one user, are counted apart. */
function credentialOf(caller: Caller): string {
  return `${caller.tenant}\0${caller.credential}\0${caller.subject}`;
}

/** Counts requests in windows of a second that begin with a name's first request. Idle names are forgotten. */
function requestCounter(whose: string, perSecond: number): ((name: string) => Promise<void>) | undefined {
  if (perSecond <= 0) return undefined;
  const limiter = new RateLimiterMemory({ points: perSecond, duration: 1 });
  return async (name) => {
    try {
      await limiter.consume(name);
    } catch (reason) {
      if (!(reason instanceof RateLimiterRes)) throw reason;
      throw new ValinorError(
        "RATE_LIMITED",
        `the ${whose} may make ${perSecond} requests a second; try again later`,
        // The library asks the wall clock: after a step of it, it would say hours.
        { retryMs: Math.min(1_000, Math.max(1, reason.msBeforeNext)) },
      );
    }
  };
}

/** Counts runs in flight; a name is kept only while it has some. */
function runCounter(whose: string, most: number): (name: string) => () => void {
  if (most <= 0) return () => nothing;
  const counts = new Map<string, number>();
  return (name) => {
    const count = counts.get(name) ?? 0;
    if (count >= most) {
      throw new ValinorError(
        "RATE_LIMITED",
        `the ${whose} may have ${most} runs in flight; try again when one has ended`,
      );
    }
    counts.set(name, count + 1);
    return () => {
      const left = (counts.get(name) ?? 1) - 1;
      if (left > 0) counts.set(name, left);
      else counts.delete(name);
    };
  };
}

function nothing(): void {}

/** Both, and only the first time. */
function once(first: () => void, second: () => void): () => void {
  if (first === nothing && second === nothing) return nothing;
  let done = false;
  return () => {
    if (done) return;
    done = true;
    first();
    second();
  };
}
