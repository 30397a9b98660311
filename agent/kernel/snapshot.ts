import type { Bounds } from "../bounds.ts";
import { ledgerOf, type LedgerState } from "../runs/ledger.ts";
import type { LedgerLine } from "../runs/ledger-entries.ts";
import type { RunState } from "../runs/run-state.ts";
import { type ConfigState, noConfig } from "../settings/config-in-force.ts";

/** What is known of the server beside the agent. */
export interface ServerView {
  readonly state: "ready" | "starting" | "down";
  /** Undefined before that could be told. */
  readonly kind: "openclaw" | "plain" | undefined;
  /** How that is known, or why it is not. Empty before the first answer. */
  readonly kindReason: string;
}

/** The state of a guest as plain data. To copy it is to copy the machine. */
export interface GuestSnapshot {
  readonly bootId: string;
  /** When the process started, by its own monotonic clock. */
  readonly startedAt: number;
  /** Until when runs may finish; undefined before the guest was told to stop. */
  readonly drainUntil: number | undefined;
  readonly server: ServerView;
  readonly config: ConfigState;
  /** Entries of the context by key. */
  readonly context: ReadonlyMap<string, string>;
  readonly ledger: LedgerState;
  /** Runs in flight in the order in which they began, then those that have ended in the order in which they did. */
  readonly runs: readonly RunState[];
}

/** What a guest's process starts with. */
export interface Boot {
  /** Random name of this boot. */
  readonly bootId: string;
  /** What earlier boots have written down, oldest first. */
  readonly taken: Iterable<LedgerLine>;
  /** Kind of the server beside the agent, if somebody told it. */
  readonly server?: ServerView;
}

/** The state of a guest whose process has just started. All that it has of earlier boots is their ledger. */
export function freshBoot({ bootId, taken, server }: Boot, bounds: Bounds, now: number): GuestSnapshot {
  return {
    bootId,
    startedAt: now,
    drainUntil: undefined,
    server: server ?? { state: "starting", kind: undefined, kindReason: "" },
    config: noConfig,
    context: new Map(),
    ledger: ledgerOf(taken, bounds, now),
    runs: [],
  };
}
