/** Most heartbeats and pings that a guest may send in a second. */
const HEARTBEATS = 50;
/** Most bytes in a second that a guest may send to ids which are not (or no longer) open. */
const DROPPED_BYTES = 16 * 1024 * 1024;

/** Bounds the rate of what a guest sends without being asked. */
export interface FloodGuard {
  /** Counts a heartbeat or ping; false where there are too many. */
  heartbeat(): boolean;
  /** Counts a frame that was dropped; false where there is too much. */
  dropped(bytes: number): boolean;
  /** A second has passed. */
  tick(): void;
}

/** Makes the guard of one connection. */
export function createFloodGuard(): FloodGuard {
  let heartbeats = 0;
  let bytes = 0;
  return {
    heartbeat: () => ++heartbeats <= HEARTBEATS,
    dropped: (size) => (bytes += size) <= DROPPED_BYTES,
    tick() {
      heartbeats = 0;
      bytes = 0;
    },
  };
}
