import type { OnDisconnect, PolicyForDigest } from "@valinor/protocol";
import type { Ending } from "./endings.ts";
import type { JournalState } from "./journal.ts";
import type { ModelEvent, ModelRequest } from "./model.ts";
import type { ClockState } from "./run-clock.ts";

/** What a run begins with. */
export interface NewRun {
  readonly requestId: string;
  /** Digest of its message. */
  readonly hash: string;
  /** Name of this run, which no other run has. */
  readonly life: string;
  readonly request: ModelRequest;
  /** Tool policy of the configuration that is in force when it begins. */
  readonly policy: PolicyForDigest;
}

/** What the model's call brought while the journal was full: it waits for room. */
export type WaitingEvent = ModelEvent | { readonly kind: "failed"; readonly ending: Ending };

/** The model's call of a run as plain data. */
export interface ModelCallState {
  /** What the model is to be asked; undefined once it was, or will not be. */
  readonly request: ModelRequest | undefined;
  readonly policy: PolicyForDigest;
  /** Names of the tools that the client runs itself. */
  readonly offered: readonly string[];
  /** True while the model's driver has the call. */
  readonly open: boolean;
  /** True while that driver was told to pause. */
  readonly paused: boolean;
  readonly waiting: readonly WaitingEvent[];
  readonly clock: ClockState;
}

/** A run as plain data. */
export interface RunState {
  readonly requestId: string;
  readonly hash: string;
  readonly life: string;
  /** True once the request is in the ledger. */
  readonly recorded: boolean;
  /** Until then it has to be. */
  readonly recordBy: number;
  readonly journal: JournalState;
  readonly call: ModelCallState;
  readonly onDisconnect: OnDisconnect;
  /** When it is cancelled unless a reader comes; undefined if it is not. */
  readonly orphanAt: number | undefined;
  /** Undefined while it is in flight. */
  readonly endedAt: number | undefined;
}
