import type { ConfigRecord, ContextRecord } from "../../store/store.ts";

/** What a guest said of a push. */
export interface Verdict {
  readonly applied: boolean;
  /** True if the guest turned it down: pushing the same again is no use. */
  readonly refused: boolean;
  /** Why it is not applied. */
  readonly reason: string;
}

/** What became of a configuration that somebody waits for. */
export interface ConfigOutcome extends Verdict {
  /** The number that it has now: a higher one than it was stored with if the guest already had that one. */
  readonly revision: number;
}

/** The verdict on a push that never reached a guest, or got no answer. */
export function notApplied(reason: string): Verdict {
  return { applied: false, refused: false, reason };
}

/** The verdict on what is in force. */
export const APPLIED: Verdict = { applied: true, refused: false, reason: "" };

/** A configuration that a guest has in force, as it says. */
export interface Report {
  /** 0 before the first. */
  readonly revision: number;
  /** Empty before the first. */
  readonly sha256: string;
}

/** True if both are the same revision with the same digest. */
export function isSameReport(a: Report, b: Report): boolean {
  return a.revision === b.revision && a.sha256 === b.sha256;
}

/** A configuration that the guest is to have. */
export interface DesiredConfig {
  /** As the store has it. */
  readonly record: ConfigRecord;
  /** Digest of it as the guest gets it, its secrets open; undefined if they could not be opened. */
  readonly sha256: string | undefined;
}

/** What the guest is to have, as the store holds it. */
export interface Desired {
  readonly config: DesiredConfig;
  readonly contexts: readonly ContextEntry[];
}

/** What a heartbeat tells that convergence looks at; a heartbeat of the link is one. */
export interface Said {
  readonly configRevision?: number | undefined;
  readonly configSha256?: string | undefined;
  /** Digest of the context that is in force; undefined if the guest tells none. */
  readonly contextSha256?: string | undefined;
  /** `ready` if the guest's OpenClaw takes messages. */
  readonly openclaw?: string | undefined;
}

/** A guest whose link has come up. */
export interface LinkedGuest {
  /** Boot of the guest's process; empty if the guest has no name for it. */
  readonly bootId: string;
  /** It names the configuration that it has in force. If not, what it acknowledged is assumed to be in force while the link lasts. */
  readonly reports: boolean;
  /** Its first heartbeat. */
  readonly heartbeat: Said;
}

/** The answer to a push of a configuration. `applied` is the guest's own word: the kernel holds `inForce` against what was pushed. */
export interface ConfigAnswer extends Verdict {
  /** What is in force now; undefined if the guest did not say. */
  readonly inForce: Report | undefined;
  /** Digest of what was pushed, secrets open; undefined if nothing was, since they could not be opened (`reason` says why). */
  readonly sha256: string | undefined;
}

/** The answer to a push of a context entry. */
export interface ContextAnswer extends Verdict {
  /** Digest of the context that is in force now; undefined if the guest did not say. */
  readonly contextSha256: string | undefined;
}

/** One entry of the context. An empty `context` in its payload stands for its removal. */
export type ContextEntry = Omit<ContextRecord, "updateTime">;

/** A context entry to be pushed. */
export interface ContextPush {
  readonly entry: ContextEntry;
  /** If given: the guest drops every entry that is not named here. */
  readonly keys: readonly string[] | undefined;
}

/** Where an agent stands between what it is to have and what it has. */
export type ConfigState =
  /** The guest acknowledged the desired revision and has every context entry. */
  | { readonly kind: "applied" }
  /** A guest that reports nothing acknowledged it. */
  | { readonly kind: "assumed" }
  /** Not yet: away, or not acknowledged. */
  | { readonly kind: "pending"; readonly reason: string }
  /** The guest turned the desired revision down; it is not pushed again until it changes or the guest starts anew. */
  | { readonly kind: "refused"; readonly reason: string };

/** A guest's word on a revision, to be written down. */
export interface VerdictEntry {
  readonly revision: number;
  readonly outcome: "applied" | "refused";
  readonly reason: string;
  readonly bootId: string;
}
