import type { Slots } from "@valinor/client";
import { createLocalSlots, createSharedSlots } from "./slots.ts";

/** Streams that a page may have open if connections are few: of HTTP/1.1's six, one watches and two are for calls. */
const FEW = 3;
/** Streams that a page may have open over HTTP/2; the server allows 100 a connection. */
const MANY = 64;

/** True if a browser opens no more than six connections to this origin, as it does for HTTP/1.1. */
export const fewConnections: boolean = !/^h[23]/.test(pageProtocol());

/** How many answers can stream at once. */
export const streamsAtOnce: number = fewConnections ? FEW : MANY;

/** Slots for streams of answers; on HTTP/1.1 all pages of this origin share them, as they share the connections. */
export function createStreamSlots(): Slots {
  // Locks exist only on pages from https and from loopback.
  const locks = (navigator as { locks?: LockManager }).locks;
  if (!fewConnections || locks === undefined) return createLocalSlots(streamsAtOnce);
  return createSharedSlots(locks, "valinor-stream", streamsAtOnce);
}

function pageProtocol(): string {
  const [entry] = performance.getEntriesByType("navigation");
  return entry instanceof PerformanceNavigationTiming ? entry.nextHopProtocol : "";
}
