import { limits } from "../../wire/limits.ts";

/** What is to be done about a guest's silence. */
export type LivenessStep = "alive" | "ping" | "lost_ping" | "lost_heartbeat";

/** Decides from times alone whether a guest lives: docs/wire-protocol.md section "Liveness". */
export class Liveness {
  #heartbeatAt = 0;
  #heartbeats = 0;
  #pingedAt: number | undefined;

  /** When the last heartbeat came; 0 before the first. */
  get heartbeatAt(): number {
    return this.#heartbeatAt;
  }

  /** A heartbeat came; of a hello so many at once. */
  heartbeat(now: number, count = 1): void {
    this.#heartbeatAt = now;
    this.#heartbeats += count;
  }

  /**
   * Looks at the clock; `heardAt` is when any byte last came, `pingMs` how long a ping may go unanswered. After `ping` a ping is to be
   * sent.
   */
  check(now: number, heardAt: number, pingMs: number): LivenessStep {
    if (this.#pingedAt !== undefined && heardAt >= this.#pingedAt) this.#pingedAt = undefined;
    if (this.#pingedAt !== undefined && now - this.#pingedAt > pingMs) return "lost_ping";
    // A guest of protocol 1 may send one heartbeat and no other.
    if (this.#heartbeats > 1 && now - this.#heartbeatAt > limits.heartbeatLostMs) return "lost_heartbeat";
    if (this.#pingedAt === undefined && now - heardAt > limits.silenceMs) {
      this.#pingedAt = now;
      return "ping";
    }
    return "alive";
  }
}
