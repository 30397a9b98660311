import type { ContextPush, Desired, DesiredConfig } from "./facts.ts";
import type { Entries, HeldContext, Observed, Told } from "./told.ts";
import { View } from "./view.ts";

/** What is to be done now. */
export type Action =
  /** Look up in the store what is to be there. */
  | { readonly kind: "load" }
  /** Give the configuration a revision above this one. */
  | { readonly kind: "raise"; readonly above: number }
  | { readonly kind: "pushConfig"; readonly config: DesiredConfig }
  /** `held` is what the guest is known to have before it answers. */
  | { readonly kind: "pushContext"; readonly push: ContextPush; readonly held: HeldContext }
  /** The guest's word on the desired revision is known: whoever waits for it is told, and it is written down. */
  | { readonly kind: "judge"; readonly outcome: "applied" | "refused"; readonly reason: string }
  /** Nobody can have the guest take the desired revision: whoever waits for it is told. */
  | { readonly kind: "giveUp"; readonly reason: string }
  /** The guest has every context entry that it takes, these: whoever waits for one is told. */
  | { readonly kind: "contextInPlace"; readonly entries: Entries }
  /** Everything was pushed, and the guest has another context: forget what it was thought to have. */
  | { readonly kind: "contextUnlike" }
  /** Begin another round after a pause of at least so many milliseconds. */
  | { readonly kind: "wait"; readonly reason: string; readonly leastMs: number }
  /** Nothing more until something changes. */
  | { readonly kind: "settle"; readonly as: "applied" | "refused" | "parked"; readonly reason: string };

/** Names of the situations that `decide` tells apart, as the table has them. */
export type Situation =
  | "unknown"
  | "unconfirmed"
  | "exhausted"
  | "raised lately"
  | "ahead"
  | "config differs"
  | "context differs"
  | "failed"
  | "refused"
  | "stuck"
  | "in force";

/** Inputs of the kernel by which a situation ends. Each ends with `disconnected` and `agentRecreated` as well. */
export type Leave =
  | "loaded"
  | "loadFailed"
  | "raised"
  | "raiseFailed"
  | "configAnswered"
  | "contextAnswered"
  | "tick"
  | "heartbeat"
  | "configStored"
  | "contextStored"
  | "storeChanged";

/** One row of the table. */
export interface Row {
  readonly situation: Situation;
  /** True if it is this one, given that it is none of the rows before. */
  holds(view: View): boolean;
  actions(view: View): readonly Action[];
  /** What leaves it. */
  readonly leftBy: readonly Leave[];
}

/**
 * Whatever changes what is to be there, or says that the guest has something else; `tick` ends a pause, or has a heartbeat looked at
 * that came too soon after another.
 */
const CHANGES = ["tick", "heartbeat", "configStored", "contextStored", "storeChanged"] as const;

/**
 * Every situation of a guest whose link is up, what is done in it and what leaves it: the first row that holds is the one. Without a link
 * nothing is done until `connected`.
 */
export const TABLE: readonly Row[] = [
  {
    situation: "unknown",
    holds: ({ isKnown }) => !isKnown,
    actions: () => [{ kind: "load" }],
    leftBy: ["loaded", "loadFailed"],
  },
  {
    // The guest has a revision that the store did not know: perhaps another process has stored it since.
    situation: "unconfirmed",
    holds: (view) => view.isAhead && !view.told.round.confirmed,
    actions: () => [{ kind: "load" }],
    leftBy: ["loaded", "loadFailed"],
  },
  {
    // A guest that names the highest number harms itself alone.
    situation: "exhausted",
    holds: (view) => view.isAhead && view.told.round.isExhausted,
    actions: ({ observed }) => {
      const reason = `${unknownRevision(observed)}, and so high that none is left above it`;
      return [
        { kind: "giveUp", reason },
        { kind: "settle", as: "parked", reason },
      ];
    },
    leftBy: CHANGES,
  },
  {
    // A guest that lies must not write the store.
    situation: "raised lately",
    holds: (view) => view.isAhead && view.told.raiseInMs > 0,
    actions: ({ observed, told }) => [
      { kind: "wait", reason: unknownRevision(observed), leastMs: told.raiseInMs },
    ],
    leftBy: CHANGES,
  },
  {
    // From another life of the agent, or from before the store was restored.
    situation: "ahead",
    holds: ({ isAhead }) => isAhead,
    actions: ({ observed }) => [{ kind: "raise", above: observed.revision }],
    leftBy: ["raised", "raiseFailed"],
  },
  {
    situation: "config differs",
    holds: ({ desired, isConfigOpen, told }) =>
      isConfigOpen && told.round.pushed !== desired.config.record.revision,
    actions: ({ desired }) => [{ kind: "pushConfig", config: desired.config }],
    leftBy: ["configAnswered"],
  },
  {
    situation: "context differs",
    holds: ({ context, told }) => context.kind === "push" && told.round.contextFailure === "",
    actions: (view) => [...judgement(view), ...contextActions(view)],
    leftBy: ["contextAnswered"],
  },
  {
    // The store did not answer, or the guest: "not now", another context than was pushed, or a heartbeat that contradicts the acknowledgement.
    situation: "failed",
    holds: ({ context, isConfigOpen }) => isConfigOpen || context.kind !== "inPlace",
    actions: (view) => [
      ...judgement(view),
      ...contextActions(view),
      { kind: "wait", reason: view.failure, leastMs: view.failureMs },
    ],
    leftBy: CHANGES,
  },
  {
    situation: "refused",
    holds: ({ refusal }) => refusal !== undefined,
    actions: (view) => [
      ...judgement(view),
      ...contextActions(view),
      { kind: "settle", as: "refused", reason: view.refusal ?? "" },
    ],
    leftBy: CHANGES,
  },
  {
    // The guest turned an entry down, or keeps one that is to go.
    situation: "stuck",
    holds: (view) => view.stuck !== undefined,
    actions: (view) => [
      ...judgement(view),
      ...contextActions(view),
      { kind: "settle", as: "parked", reason: view.stuck ?? "" },
    ],
    leftBy: CHANGES,
  },
  {
    situation: "in force",
    holds: () => true,
    actions: (view) => [
      ...judgement(view),
      ...contextActions(view),
      { kind: "settle", as: "applied", reason: "" },
    ],
    leftBy: CHANGES,
  },
];

/** A situation, and what is done in it. */
export interface Decision {
  readonly situation: Situation;
  readonly actions: readonly Action[];
}

/**
 * What brings a guest from what it has to what it is to have: the row that holds says it. `desired` is undefined if it has to be looked
 * up. Of the actions at most the last one asks something of the driver, or ends the round.
 */
export function decide(desired: Desired | undefined, observed: Observed, told: Told): Decision {
  const view = new View(desired, observed, told);
  const row = TABLE.find((one) => one.holds(view));
  if (row === undefined) throw new Error("the last row holds always");
  return { situation: row.situation, actions: row.actions(view) };
}

function unknownRevision({ revision }: Observed): string {
  return `the agent reports revision ${revision}, which is not of this store`;
}

/** The guest's word on the desired revision, if there is one. */
function judgement({ refusal, isConfigOpen }: View): readonly Action[] {
  if (refusal !== undefined) return [{ kind: "judge", outcome: "refused", reason: refusal }];
  return isConfigOpen ? [] : [{ kind: "judge", outcome: "applied", reason: "" }];
}

function contextActions({ context, told }: View): readonly Action[] {
  switch (context.kind) {
    case "push":
      // Without an answer to one the others are left for the next round.
      return told.round.contextFailure === "" ? [{ ...context, kind: "pushContext" }] : [];
    case "inPlace":
      return [{ kind: "contextInPlace", entries: context.entries }];
    case "unlike":
      return [{ kind: "contextUnlike" }];
  }
}
