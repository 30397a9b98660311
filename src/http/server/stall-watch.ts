import type { EventEmitter } from "node:events";
import { dropClient, type Droppable } from "./client.ts";
import { monotonicNow } from "@valinor/protocol";

/** A response, or a stream of HTTP/2. */
type Stallable = EventEmitter & Droppable & { readonly writableLength: number };

/** Watches responses for clients that take nothing. */
export interface StallWatch {
  /** Watches a response until it closes. */
  track(res: Stallable): void;
  /** Watches a response until `leave` is called. */
  enter(res: Stallable): void;
  leave(res: Stallable): void;
  stop(): void;
}

interface Watched {
  /** Bytes that waited for the client at the last look, and since when they have been as many. */
  waiting: number;
  since: number;
}

/**
 * Drops a client whose waiting bytes have not become fewer (nor more) for `stallMs`: nothing in Node ever gives up on a peer
 * that keeps its connection open and does not read. One timer for all responses, so a stall is seen up to a quarter late.
 */
export function createStallWatch(stallMs: number): StallWatch {
  const watched = new Map<Stallable, Watched>();
  const look = () => {
    const now = monotonicNow();
    for (const [res, seen] of watched) {
      const waiting = res.writableLength;
      if (waiting !== seen.waiting || waiting === 0) {
        seen.waiting = waiting;
        seen.since = now;
      } else if (now - seen.since >= stallMs) dropClient(res);
    }
  };
  const timer = setInterval(look, Math.ceil(stallMs / 4));
  timer.unref();
  const enter = (res: Stallable) => void watched.set(res, { waiting: 0, since: 0 });
  const leave = (res: Stallable) => void watched.delete(res);
  return {
    enter,
    leave,
    track: (res) => {
      enter(res);
      res.once("close", () => leave(res));
    },
    stop: () => clearInterval(timer),
  };
}
