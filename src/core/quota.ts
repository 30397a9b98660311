import type { Caller } from "./types.ts";

/** Bounds what a tenant, and each credential of it, may ask for. */
export interface Quota {
  /** Counts a request. Throws RATE_LIMITED with the time to wait. */
  request(caller: Caller): void;
  /** Counts a run that begins or is attached to; the answer ends it (twice is once). Throws RATE_LIMITED. */
  run(caller: Caller): () => void;
}
