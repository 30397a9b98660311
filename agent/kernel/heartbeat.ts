import type { HeartbeatJson } from "@valinor/proto/valinor/link/v1/link";
import { PROTOCOL } from "@valinor/protocol";
import type { WantedConfig } from "../settings/config-in-force.ts";
import type { GuestOptions } from "./ports.ts";
import type { ServerView } from "./snapshot.ts";

/** What a heartbeat tells of. */
export interface Described {
  readonly bootId: string;
  readonly startedAt: number;
  readonly draining: boolean;
  readonly inFlight: number;
  readonly config: WantedConfig;
  readonly contextSha256: string;
  readonly server: ServerView;
}

/** What a heartbeat tells a host that was let in: docs/wire-protocol.md section 4.2. */
export function heartbeatOf(guest: Described, options: GuestOptions, now: number): HeartbeatJson {
  const { config, server } = guest;
  const busy = guest.inFlight > 0 ? "running" : "ready";
  return {
    status: guest.draining ? "draining" : busy,
    uptime_secs: Math.floor((now - guest.startedAt) / 1000),
    protocol: PROTOCOL,
    ...(options.agentId !== undefined && { agent_id: options.agentId }),
    boot_id: guest.bootId,
    agent_version: options.version,
    config_revision: config.revision,
    config_sha256: config.sha256,
    context_sha256: guest.contextSha256,
    in_flight: guest.inFlight,
    lives: true,
    remembers: options.remembers,
    openclaw: server.state,
    ...(server.kind !== undefined && { openclaw_kind: server.kind }),
    ...(server.kindReason !== "" && { openclaw_kind_reason: server.kindReason }),
  };
}
