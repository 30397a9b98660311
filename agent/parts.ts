import type { HeartbeatJson } from "@valinor/proto/valinor/link/v1/link";
import type { Bounds } from "./bounds.ts";
import type { Config } from "./settings/config.ts";
import type { Context } from "./settings/context.ts";
import type { Ledger } from "./runs/ledger.ts";
import type { Log } from "./log.ts";
import type { OpenClaw } from "./openclaw/client.ts";
import type { Runs } from "./runs/runs.ts";

/** What the links of an agent share. */
export interface Parts {
  readonly bounds: Bounds;
  readonly bootId: string;
  /** Token that a host must tell; undefined where none is needed. */
  readonly token: string | undefined;
  readonly log: Log;
  readonly runs: Runs;
  readonly ledger: Ledger;
  readonly config: Config;
  readonly context: Context;
  readonly openclaw: OpenClaw;
  readonly draining: boolean;
  /** What a heartbeat tells a host that has said its token. */
  heartbeat(): HeartbeatJson;
}
