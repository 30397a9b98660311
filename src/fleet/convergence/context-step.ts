import { contextDigest } from "@valinor/protocol";
import type { ContextEntry, ContextPush } from "./facts.ts";
import {
  type Entries,
  type HeldContext,
  NO_ENTRIES,
  type Observed,
  type Told,
  UNKNOWN_CONTEXT,
} from "./told.ts";

/** What is left to be done to bring a guest's context to what it is to be. */
export type ContextStep =
  /** Push this; `held` is what the guest is known to have meanwhile. */
  | { readonly kind: "push"; readonly push: ContextPush; readonly held: HeldContext }
  /** The guest has all that it takes: these entries. */
  | { readonly kind: "inPlace"; readonly entries: Entries }
  /** Everything was pushed, and the guest says that it has something else. */
  | { readonly kind: "unlike" };

type Known = Extract<HeldContext, { kind: "known" }>;
type Rebuilding = Extract<HeldContext, { kind: "rebuilding" }>;

/** The next step. Every push is followed by another one: what it leads to is in `told`. */
export function contextStep(contexts: readonly ContextEntry[], observed: Observed, told: Told): ContextStep {
  const { context } = told;
  const held = context.kind === "unknown" ? firstView(contexts, observed, told) : context;
  if (held.kind === "rebuilding") return stepOfRebuilding(contexts, held, observed, told);
  const entry = nextChange(contexts, held.entries, told);
  if (entry !== undefined) return { kind: "push", push: { entry, keys: undefined }, held };
  if (isAsTold(held.entries, observed)) return { kind: "inPlace", entries: held.entries };
  return stepOfRebuilding(contexts, rebuilding(observed), observed, told);
}

function stepOfRebuilding(
  contexts: readonly ContextEntry[],
  held: Rebuilding,
  observed: Observed,
  told: Told,
): ContextStep {
  const push = nextOfAll(contexts, held, observed, told);
  if (push !== undefined) return { kind: "push", push, held };
  const { entries } = held;
  if (!isAsTold(entries, observed)) return { kind: "unlike" };
  // What is to be there may have changed since the first of them was pushed.
  const entry = nextDifference(contexts, entries, told);
  if (entry !== undefined)
    return { kind: "push", push: { entry, keys: undefined }, held: { kind: "known", entries } };
  return { kind: "inPlace", entries };
}

/** True if the guest tells no digest, or that of these entries. */
export function isAsTold(entries: Entries, { contextSha256 }: Pick<Observed, "contextSha256">): boolean {
  return contextSha256 === undefined || contextSha256 === digestOf(entries);
}

/** What the guest has after it took an entry. */
export function withEntry(held: HeldContext, record: ContextEntry): HeldContext {
  if (held.kind === "unknown") return held;
  const entries = new Map(held.entries);
  if (record.payload["context"] === "") entries.delete(record.key);
  else entries.set(record.key, record);
  return held.kind === "known" ? { kind: "known", entries } : { kind: "rebuilding", entries, dropped: true };
}

/** What may be said of the guest's context after an entry was pushed without an answer: it may have it, or may not. */
export function withDoubt(held: HeldContext, key: string): HeldContext {
  if (held.kind === "unknown" || (held.kind === "rebuilding" && !held.dropped)) return UNKNOWN_CONTEXT;
  // Another version than any: it is pushed or removed, whatever is to be there by then.
  const entries = new Map(held.entries).set(key, removalOf(key));
  return { kind: "known", entries };
}

/** Why the context is not as it is to be though nothing is left to be pushed; undefined if it is. */
export function whyStuck(
  contexts: readonly ContextEntry[],
  entries: Entries,
  told: Told,
): string | undefined {
  const refused = contexts.find((record) => isRefused(record, told));
  if (refused !== undefined) return `${nameOf(refused.key)}: ${told.refusals.get(refused.key)?.reason ?? ""}`;
  const kept = [...entries.keys()].find((key) => !hasKey(contexts, key));
  return kept === undefined ? undefined : `${nameOf(kept)}: the agent does not let it go`;
}

function isRefused({ key, version }: ContextEntry, { refusals }: Told): boolean {
  return refusals.get(key)?.version === version;
}

/** What may be said of a guest of which nothing is known: that it has everything, or that it is to get everything. */
function firstView(contexts: readonly ContextEntry[], observed: Observed, told: Told): Known | Rebuilding {
  if (observed.contextSha256 === undefined || observed.said.contextSha256 === undefined)
    return rebuilding(observed);
  const taken = contexts.filter((record) => !isRefused(record, told));
  const entries = taken.length === 0 ? NO_ENTRIES : new Map(taken.map((record) => [record.key, record]));
  return isAsTold(entries, observed) ? { kind: "known", entries } : rebuilding(observed);
}

/** The guest is to get everything anew; one that tells its digest can be told to drop the rest. */
function rebuilding({ said }: Observed): Rebuilding {
  return { kind: "rebuilding", entries: NO_ENTRIES, dropped: said.contextSha256 === undefined };
}

/** What differs from what the guest has, and removals that somebody waits for. */
function nextChange(contexts: readonly ContextEntry[], has: Entries, told: Told): ContextEntry | undefined {
  return awaitedRemoval(contexts, told) ?? nextDifference(contexts, has, told);
}

/** What the guest has and is not to have, or lacks. */
function nextDifference(
  contexts: readonly ContextEntry[],
  has: Entries,
  told: Told,
): ContextEntry | undefined {
  for (const key of has.keys()) {
    const gone = removalOf(key);
    if (!hasKey(contexts, key) && !isRefused(gone, told)) return gone;
  }
  return contexts.find(
    (record) => has.get(record.key)?.version !== record.version && !isRefused(record, told),
  );
}

/** The next of all entries. The first one that the guest takes drops what is no longer to be there. */
function nextOfAll(
  contexts: readonly ContextEntry[],
  { entries, dropped }: Rebuilding,
  { said }: Observed,
  told: Told,
): ContextPush | undefined {
  const wanted = contexts.filter((record) => !isRefused(record, told));
  const next = wanted.find(({ key }) => !entries.has(key));
  if (next !== undefined) return { entry: next, keys: dropped ? undefined : wanted.map(({ key }) => key) };
  const removal = removalOf("");
  if (!dropped) return isRefused(removal, told) ? undefined : { entry: removal, keys: [] };
  if (said.contextSha256 !== undefined) return undefined;
  const awaited = awaitedRemoval(contexts, told);
  return awaited && { entry: awaited, keys: undefined };
}

/** A removal that somebody waits for, of an entry that is really not to be there. */
function awaitedRemoval(contexts: readonly ContextEntry[], told: Told): ContextEntry | undefined {
  return told.removals.find((record) => !hasKey(contexts, record.key) && !isRefused(record, told));
}

/** Stands for the removal of an entry that nobody waits for. */
function removalOf(key: string): ContextEntry {
  return { key, payload: { context: "" }, version: "" };
}

function hasKey(contexts: readonly ContextEntry[], key: string): boolean {
  return contexts.some((record) => record.key === key);
}

function nameOf(key: string): string {
  return key === "" ? "the default context entry" : `context entry ${JSON.stringify(key)}`;
}

function digestOf(entries: Entries): string {
  return contextDigest([...entries.values()].map(({ key, payload }) => [key, textOf(payload["context"])]));
}

function textOf(context: unknown): string {
  return typeof context === "string" ? context : "";
}
