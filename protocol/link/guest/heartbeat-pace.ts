import type { HeartbeatJson } from "@valinor/proto/valinor/link/v1/link";

/** Least time between two heartbeats, but for those that can't wait. */
export const HEARTBEAT_GAP_MS = 500;

/**
 * When a guest sends heartbeats on one link: every `heartbeatMs`, and when there is news. News that come in quick succession are told
 * together at the end of the gap: hosts take many heartbeats for a flood. Two things are told at once. `draining`; and the kind of the server when
 * it becomes known: it stands before the answer to a configuration, and hosts send what it wants.
 */
export class HeartbeatPace {
  readonly #heartbeatMs: number;
  #sentAt = -Infinity;
  #sentStatus: string | undefined;
  #kindTold = false;
  #newsWait = false;

  constructor(heartbeatMs: number) {
    this.#heartbeatMs = heartbeatMs;
  }

  /** Decides whether a heartbeat is sent now; it counts as sent then. News wait for `dueAt` otherwise. `always`: even if its status is known. */
  take({ status, openclaw_kind: kind }: HeartbeatJson, always: boolean, now: number): boolean {
    const changed = status !== this.#sentStatus;
    if (!always && !changed) return false;
    const urgent = (changed && status === "draining") || (kind !== undefined && !this.#kindTold);
    if (!urgent && now - this.#sentAt < HEARTBEAT_GAP_MS) {
      this.#newsWait = true;
      return false;
    }
    this.#newsWait = false;
    this.#kindTold ||= kind !== undefined;
    this.#sentStatus = status;
    this.#sentAt = now;
    return true;
  }

  /** When the next heartbeat is due, if no urgent news come. */
  get dueAt(): number {
    const wait = this.#newsWait ? HEARTBEAT_GAP_MS : this.#heartbeatMs;
    return this.#sentAt + Math.max(wait, HEARTBEAT_GAP_MS);
  }
}
