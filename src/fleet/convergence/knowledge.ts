import type { LinkOf } from "./asked.ts";
import { isAsTold, withDoubt, withEntry } from "./context-step.ts";
import type { Action } from "./decide.ts";
import { DesiredCopy } from "./desired-copy.ts";
import {
  APPLIED,
  type ConfigAnswer,
  type ContextAnswer,
  type ContextEntry,
  type Desired,
  type DesiredConfig,
  isSameReport,
  type LinkedGuest,
  notApplied,
  type Report,
  type VerdictEntry,
} from "./facts.ts";
import { ObservedGuest } from "./observed.ts";
import type { ConvergenceOutput } from "./output.ts";
import { UNKNOWN_CONTEXT } from "./told.ts";
import { ToldGuest } from "./told-guest.ts";
import { isRecorded, VerdictLog } from "./verdict-log.ts";
import { Waiters } from "./waiters.ts";

/** Actions that change what is known, and ask nothing of the driver. */
type Noted = Extract<Action, { kind: "judge" | "giveUp" | "contextInPlace" | "contextUnlike" }>;

/** Everything that is known of one agent: what it is to have, what it has, what it was told, and who waits for its word. */
export class Knowledge {
  readonly desired = new DesiredCopy();
  readonly observed = new ObservedGuest();
  readonly told = new ToldGuest();
  readonly waiters: Waiters;
  readonly verdicts: VerdictLog;

  constructor(output: ConvergenceOutput) {
    this.waiters = new Waiters(output);
    this.verdicts = new VerdictLog(output);
  }

  /** A link is up. */
  connected(guest: LinkedGuest): void {
    this.observed.connected(guest);
    this.told.connected(guest);
    this.desired.stale();
  }

  /** Recreated under the same id: what was known, and whoever waits, is of the agent before. */
  forget(): void {
    this.waiters.endAll("the agent was deleted, and created again");
    this.desired.forget();
    this.observed.forget();
    this.told.forget();
    this.verdicts.forget();
  }

  /** The store gave the configuration another number: whoever waits for it waits for that one now. Answers the current configuration. */
  raised(config: DesiredConfig): DesiredConfig {
    const before = this.desired.config?.record;
    const { revision, sha256 } = config.record;
    // Another one may have been stored meanwhile, here or by another process: that was raised then, or nothing had to be.
    if (before !== undefined && before.revision < revision && before.sha256 === sha256)
      this.waiters.configRaised(before.revision, revision);
    return this.desired.stored(config);
  }

  /** A configuration was pushed, `sha256` is the digest of what the guest got: known from now on, if it was not. */
  opened(config: DesiredConfig, sha256: string | undefined): DesiredConfig {
    if (config.sha256 !== undefined || sha256 === undefined) return config;
    const opened = { record: config.record, sha256 };
    this.desired.stored(opened);
    return opened;
  }

  /** Takes what the latest heartbeat tells; answers what of that is news, if anything. */
  newsOfHeartbeat(bootId: string): string | undefined {
    const { observed, told } = this;
    const { configRevision, contextSha256 } = observed.said;
    const isConfigNews = observed.takeSaid(bootId);
    const isOther = contextSha256 !== undefined && contextSha256 !== observed.contextSha256;
    if (isOther) observed.contextSha256 = contextSha256;
    if (isConfigNews) return `the agent reports revision ${configRevision ?? 0}`;
    const { context } = told;
    const isKnown = !isOther || (context.kind === "known" && isAsTold(context.entries, observed));
    return isKnown ? undefined : "the agent reports another context";
  }

  /** The guest's word on a configuration: whoever waits is told, and it is written down. */
  judge({ record }: DesiredConfig, word: Omit<VerdictEntry, "revision">, now: number): void {
    const { revision } = record;
    const { outcome, reason, bootId } = word;
    const entry = { revision, outcome, reason, bootId };
    if (!isRecorded(record.verdict, entry)) this.verdicts.note(entry, now);
    const refused = { applied: false, refused: true, reason };
    this.waiters.configJudged(revision, outcome === "applied" ? APPLIED : refused);
  }

  /**
   * The answer to a push of a configuration. `isLost`: the link that it went over is gone, so that the answer says nothing of what is in
   * force now; the guest's word on the revision counts all the same. Answers why it is not in force; empty if it is, or was refused.
   */
  configAnswered(config: DesiredConfig, link: LinkOf, answer: ConfigAnswer, isLost: boolean, now: number) {
    const { revision } = config.record;
    const { bootId } = link;
    const pushed = { revision, sha256: answer.sha256 ?? "" };
    const doubt = answer.applied && link.reports ? doubtOf(answer.inForce, pushed) : undefined;
    if (!isLost && doubt === undefined) this.observed.takeAck(bootId, answer);
    if (answer.applied && doubt === undefined) {
      if (!isLost) this.#inForce(link, pushed);
      this.judge(config, { outcome: "applied", reason: "", bootId }, now);
      return "";
    }
    const reason = doubt ?? answer.reason;
    // Refused since it has a revision that this store does not know: no verdict on the configuration.
    if (answer.refused && isElsewhere(answer.inForce, pushed)) return reason;
    if (answer.refused) {
      if (!isLost || bootId !== "") this.told.refused = { revision, bootId, reason };
      this.judge(config, { outcome: "refused", reason, bootId }, now);
      return "";
    }
    this.waiters.configJudged(revision, notApplied(reason));
    return reason;
  }

  /** The answer to a push of a context entry. Answers why it failed; empty if the guest took the entry or turned it down. */
  contextAnswered(entry: ContextEntry, answer: ContextAnswer): string {
    const { told, waiters } = this;
    const { key, version } = entry;
    const { applied, refused, reason } = answer;
    this.observed.contextSha256 = answer.contextSha256;
    if (!applied && !refused) {
      told.context = withDoubt(told.context, key);
      // Whoever waits goes on waiting: a refusal that comes later has the entry taken back.
      return reason;
    }
    if (applied) told.context = withEntry(told.context, entry);
    else told.refuse(key, { version, reason });
    waiters.contextJudged(key, version, { applied, refused, reason });
    return "";
  }

  /** Carries out what is done here alone. `wanted` is what is to be there. */
  note(action: Noted, wanted: Desired, { bootId }: LinkOf, now: number): void {
    const { told } = this;
    switch (action.kind) {
      case "judge":
        return this.judge(wanted.config, { outcome: action.outcome, reason: action.reason, bootId }, now);
      case "giveUp":
        return this.waiters.configJudged(wanted.config.record.revision, notApplied(action.reason));
      case "contextInPlace":
        told.context = { kind: "known", entries: action.entries };
        told.misses = 0;
        return this.waiters.contextInPlace(wanted.contexts, action.entries, told.refusals);
      case "contextUnlike":
        told.context = UNKNOWN_CONTEXT;
        told.misses++;
    }
  }

  #inForce({ reports, bootId }: LinkOf, { revision }: Report): void {
    this.observed.isDoubtful = false;
    this.told.refused = undefined;
    if (reports) return;
    this.told.assumed = revision;
    this.observed.take(bootId, { revision, sha256: "" });
  }
}

/** Why an acknowledgement is not believed; undefined if it names what was pushed. */
function doubtOf(inForce: Report | undefined, pushed: Report): string | undefined {
  if (inForce !== undefined && isSameReport(inForce, pushed)) return undefined;
  return `the agent acknowledged revision ${inForce?.revision ?? 0}, not ${pushed.revision}`;
}

/** True if what is in force is a revision that this store does not know. */
function isElsewhere(inForce: Report | undefined, pushed: Report): boolean {
  if (inForce === undefined || inForce.revision < pushed.revision) return false;
  return !isSameReport(inForce, pushed);
}
