import type { ContextEntry, Report, Said } from "./facts.ts";

/** Context entries by key. */
export type Entries = ReadonlyMap<string, ContextEntry>;

/** What a guest says of itself. */
export interface Observed extends Report {
  /** Boot of the latest link; undefined before the first one. `revision` and `sha256` never fall while it stays. */
  readonly bootId: string | undefined;
  /** As LinkedGuest.reports. */
  readonly reports: boolean;
  /** It reported less than it had acknowledged: a stale heartbeat, or a machine that was put back to a snapshot. */
  readonly isDoubtful: boolean;
  /** Digest of its context as it last told it; undefined if it tells none. */
  readonly contextSha256: string | undefined;
  /** Its latest heartbeat. */
  readonly said: Said;
}

/** What the context of a guest is known to be. */
export type HeldContext =
  /** Nothing is known. */
  | { readonly kind: "unknown" }
  /** It has these entries. */
  | { readonly kind: "known"; readonly entries: Entries }
  /** It is being given everything anew, and took these so far. `dropped`: it has nothing else, or can't be told to drop it. */
  | { readonly kind: "rebuilding"; readonly entries: Entries; readonly dropped: boolean };

/** A context entry that the guest turned down. */
export interface Refusal {
  readonly version: string;
  readonly reason: string;
}

/** What happened in this round: from a look at what is to be there until everything is settled, or has to wait. */
export interface Round {
  /** The store was asked again, since the guest has what the store did not know. */
  readonly confirmed: boolean;
  /** There is no number above the guest's. */
  readonly isExhausted: boolean;
  /** Revision that was pushed; 0: none. It is pushed once a round. */
  readonly pushed: number;
  /** Why that is not in force; empty if nothing was said against it. */
  readonly configFailure: string;
  /** Why a context entry could not be pushed; empty: no push has failed. */
  readonly contextFailure: string;
}

/** What a guest was told, and what it answered. */
export interface Told {
  /** Revision that it acknowledged on this link; 0: none. For a guest that reports nothing. */
  readonly assumed: number;
  /** The latest revision that it turned down, and the boot that did. */
  readonly refused:
    | { readonly revision: number; readonly bootId: string; readonly reason: string }
    | undefined;
  readonly context: HeldContext;
  /** Context entries that this boot turned down, by key. */
  readonly refusals: ReadonlyMap<string, Refusal>;
  /** How often the context was pushed whole, and the guest said that it has another one. */
  readonly misses: number;
  /** Removals that somebody waits for. */
  readonly removals: readonly ContextEntry[];
  /** Milliseconds until the revision may be raised again; 0: now. */
  readonly raiseInMs: number;
  readonly round: Round;
}

/** No entries, refusals: shared, since most agents have none. */
export const NO_ENTRIES: Entries = new Map();
export const NO_REFUSALS: ReadonlyMap<string, Refusal> = new Map();
export const UNKNOWN_CONTEXT: HeldContext = { kind: "unknown" };

/** A round in which nothing has happened yet. */
export const NEW_ROUND: Round = {
  confirmed: false,
  isExhausted: false,
  pushed: 0,
  configFailure: "",
  contextFailure: "",
};
