import { limits } from "../wire/limits.ts";

/** Bounds the rate of what a guest sends without being asked. */
export interface FloodGuard {
  /** Counts a heartbeat or ping that is to be acted on; false where there are too many. */
  heartbeat(bytes: number): boolean;
  /** Counts a frame that was dropped; false where there is too much. */
  dropped(bytes: number): boolean;
  /** A second has passed. */
  tick(): void;
}

/** Makes the guard of one connection. */
export function createFloodGuard(): FloodGuard {
  let heartbeats = 0;
  let frames = 0;
  let bytes = 0;

  function dropped(size: number): boolean {
    frames++;
    bytes += size;
    return frames <= limits.unaskedFrames && bytes <= limits.unaskedBytes;
  }

  return {
    heartbeat(size) {
      if (heartbeats === limits.heartbeatsPerSecond) return false;
      heartbeats++;
      return dropped(size);
    },
    dropped,
    tick() {
      heartbeats = 0;
      frames = 0;
      bytes = 0;
    },
  };
}
