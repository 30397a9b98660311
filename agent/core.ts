import { randomBytes } from "node:crypto";
import type { HeartbeatJson } from "@valinor/proto/valinor/link/v1/link";
import { monotonicNow, PROTOCOL } from "@valinor/protocol";
import { boundsWith } from "./bounds.ts";
import { Config } from "./settings/config.ts";
import { Context } from "./settings/context.ts";
import { openLedger } from "./runs/ledger.ts";
import { Links } from "./link/links.ts";
import { createLog } from "./log.ts";
import { createOpenClaw } from "./openclaw/client.ts";
import type { AgentOptions } from "./settings/options.ts";
import type { Parts } from "./parts.ts";
import { Runs } from "./runs/runs.ts";
import { openStateDir, type StateDir } from "./settings/state-dir.ts";
import { VERSION } from "./version.ts";

/** Everything of an agent but its listener. */
export interface Core extends Parts {
  draining: boolean;
  readonly links: Links;
  /** Where the agent keeps what outlives it; undefined where it does not. */
  readonly state: StateDir | undefined;
  /** Resolves when no run is in flight and no exchange open, after `drainMs` at the latest. */
  quiet(): Promise<void>;
}

/** Puts an agent together. Rejects where the state directory cannot be used. */
export async function openCore(options: AgentOptions): Promise<Core> {
  const log = options.log ?? createLog();
  const bounds = boundsWith(options.bounds);
  const bootId = randomBytes(16).toString("hex");
  const startedAt = monotonicNow();
  const state = await openStateDir(options, log);
  const ledger = await openLedger(state?.path, bounds, log).catch((error: unknown) => {
    state?.release();
    throw error;
  });
  let onQuieter = () => {};

  const onCount = () => {
    core.links.tell(false);
    onQuieter();
  };
  const onApplied = () => {
    log.info("config_applied", { revision: core.config.applied.revision });
    core.links.tell(true);
  };
  const onChange = () => {
    const { state, kind, kindReason } = core.openclaw;
    // What a server of another kind cannot do stands in docs/openclaw.md.
    log.info("openclaw_state", { state, server: kind ?? "unknown", reason: kindReason });
    if (state === "ready" && kind === "openclaw") core.config.reapply();
    core.links.tell(true);
  };

  const core: Core = {
    bounds,
    bootId,
    log,
    ledger,
    state,
    token: options.token,
    draining: false,
    runs: new Runs({ bounds, ledger, log, onCount }),
    config: new Config({
      log,
      queued: bounds.appliesQueued,
      apply: (wanted) => core.openclaw.apply(wanted),
      onApplied,
    }),
    context: new Context(bounds),
    openclaw: createOpenClaw({
      url: options.openclawUrl,
      serverKind: options.serverKind,
      token: options.openclawToken,
      stateDir: state?.path,
      bounds,
      onChange,
    }),
    heartbeat: () => describe(core, (monotonicNow() - startedAt) / 1000, options.agentId),
    get links() {
      return links;
    },
    quiet: () =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, bounds.drainMs);
        onQuieter = () => {
          if (core.runs.inFlight.size > 0 || links.busy) return;
          clearTimeout(timer);
          resolve();
        };
        onQuieter();
      }),
  };
  const links = new Links(core, () => onQuieter());
  return core;
}

function describe(parts: Parts, uptime: number, agentId: string | undefined): HeartbeatJson {
  const { config, context, runs } = parts;
  const { state, kind, kindReason } = parts.openclaw;
  const busy = runs.inFlight.size > 0 ? "running" : "ready";
  return {
    status: parts.draining ? "draining" : busy,
    uptime_secs: Math.floor(uptime),
    protocol: PROTOCOL,
    ...(agentId !== undefined && { agent_id: agentId }),
    boot_id: parts.bootId,
    agent_version: VERSION,
    config_revision: config.applied.revision,
    config_sha256: config.applied.sha256,
    context_sha256: context.sha256,
    in_flight: runs.inFlight.size,
    lives: true,
    remembers: parts.ledger.remembers,
    openclaw: state,
    ...(kind !== undefined && { openclaw_kind: kind }),
    ...(kindReason !== "" && { openclaw_kind_reason: kindReason }),
  };
}
