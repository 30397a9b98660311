import { limits } from "@valinor/protocol";

/**
 * Every bound of the agent: those of the link, and its own. Sizes are bytes, durations milliseconds.
 * docs/agent.md section "Bounds" lists them.
 */
export const defaultBounds = {
  ...limits,
  /** How often bounds on time are looked at. */
  tickMs: 1_000,
  /** A link on which nothing was heard for this long is closed; a host pings after 5 s of silence. */
  hostSilenceMs: 60_000,
  /** Exchanges open at once on one link. */
  exchanges: 1_024,
  /** The ledger has this long to record a request before the message is refused. */
  recordMs: 10_000,
  /** Runs in flight have this long to finish after the agent was told to stop (`--drain-seconds`). */
  drainMs: 30_000,

  /** How often OpenClaw is probed, and how long it may take to answer. */
  probeMs: 10_000,
  probeTimeoutMs: 3_000,
  /** Connecting to OpenClaw. */
  connectMs: 5_000,
  /** Largest event of a streamed answer, and largest answer that is not streamed. */
  modelEventBytes: 4 * 1024 * 1024,
  /** Most bytes that may come of an answer that its server compressed. */
  modelDecodedBytes: 128 * 1024 * 1024,
  /** Tool calls that one answer may leave unfinished at once. */
  openToolCalls: 128,

  /** A call of OpenClaw's gateway, and being let in; its largest message; a connection that nobody needs. */
  gatewayMs: 5_000,
  gatewayMessageBytes: 16 * 1024 * 1024,
  gatewayIdleMs: 60_000,
  /** First and last wait before a gateway that is needed is connected to again; it doubles. */
  gatewayRedialMinMs: 100,
  gatewayRedialMaxMs: 5_000,
  /** A configuration has this long to come into force at OpenClaw before the host has to push it again. */
  applyMs: 20_000,
  /** Configurations that wait for their turn at OpenClaw. */
  appliesQueued: 16,

  /** Context entries, the text of one, and of all together. */
  contextEntries: 64,
  contextEntryBytes: 256 * 1024,
  contextBytes: 1024 * 1024,
} as const;

/** The bounds that an agent keeps. */
export type Bounds = { readonly [K in keyof typeof defaultBounds]: number };

/** The default bounds with some replaced. */
export function boundsWith(replaced: Partial<Bounds> = {}): Bounds {
  return { ...defaultBounds, ...replaced };
}
