import { limits } from "@valinor/protocol";

/** What is to be done about a guest's silence. */
export type LivenessStep = "alive" | "ping" | "lost_ping" | "lost_heartbeat";

/** Decides from times alone whether a guest lives: docs/wire-protocol.md section "Liveness". */
export interface Liveness {
  /** A heartbeat came. */
  heartbeat(now: number): void;
  /** Looks at the clock; `heardAt` is when any byte last came. After `ping` a ping is to be sent. */
  check(now: number, heardAt: number): LivenessStep;
  /** When the last heartbeat came; 0 before the first. */
  readonly heartbeatAt: number;
}

/** Makes the judge of one connection; `pingMs` is how long a ping may go unanswered. */
export function createLiveness(pingMs: number): Liveness {
  let heartbeatAt = 0;
  let heartbeats = 0;
  let pingedAt = 0;
  return {
    heartbeat(now) {
      heartbeatAt = now;
      heartbeats++;
    },
    check(now, heardAt) {
      if (pingedAt > 0 && heardAt >= pingedAt) pingedAt = 0;
      if (pingedAt > 0 && now - pingedAt > pingMs) return "lost_ping";
      if (heartbeats > 1 && now - heartbeatAt > limits.heartbeatLostMs) return "lost_heartbeat";
      if (pingedAt === 0 && now - heardAt > limits.silenceMs) {
        pingedAt = now;
        return "ping";
      }
      return "alive";
    },
    get heartbeatAt() {
      return heartbeatAt;
    },
  };
}
