/** Most heartbeats and pings that a guest may send in a second. */
const HEARTBEATS = 50;
/** Most frames and bytes in a second that a guest may send without their being asked for, heartbeats and pongs included. */
const UNASKED_FRAMES = 50_000;
const UNASKED_BYTES = 16 * 1024 * 1024;

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
    return frames <= UNASKED_FRAMES && bytes <= UNASKED_BYTES;
  }

  return {
    heartbeat(size) {
      if (heartbeats === HEARTBEATS) return false;
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
