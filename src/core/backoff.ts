import { pauseMs } from "@valinor/protocol";

/** Pauses between tries at what failed for a reason of the server's own, such as a store that is away. */
const PACE = { firstMs: 50, longestMs: 5_000 };

/** A random time below a bound that doubles with each failure from 50 ms to 5 s (full jitter). */
export function backoffMs(failures: number): number {
  return pauseMs(PACE, failures, Math.random());
}
