import type { Connection } from "../link/connection.ts";
import { type ConfigRecord, StoreError } from "../store/store.ts";
import { hideSecrets } from "./hide-secrets.ts";
import { createObserved, type Observed } from "./observed.ts";
import { type ConfigAnswer, pushConfig, type Report, sameReport, type Verdict } from "./push.ts";
import { DONE, type StepResult } from "./steps.ts";
import { isRecorded, type VerdictLog } from "./verdict-log.ts";
import type { Waiters } from "./waiters.ts";
import { monotonicNow } from "@valinor/protocol";

/** What the step needs. */
export interface ConfigStepParts {
  /** The configuration as the guest gets it: its secrets open, and the digest of that. May throw. */
  open(config: ConfigRecord): ConfigRecord;
  /** Store.raiseRevision. */
  raise(above: number): Promise<ConfigRecord>;
  /** Called before a push. */
  onPush(): void;
  readonly waiters: Waiters;
  readonly verdicts: VerdictLog;
  /** How long a push may take, milliseconds. */
  readonly pushMs: number;
}

/** Brings the configuration to a guest. */
export interface ConfigStep {
  /** What the guest has in force, as it last said. */
  readonly observed: Observed;
  /** A link is up. */
  connected(at: Connection): void;
  /** A heartbeat came; true where it tells something that was not known. */
  heartbeat(at: Connection): boolean;
  /** True where the guest contradicted what it had acknowledged: it is to be pushed to again. */
  readonly isDoubtful: boolean;
  /** True where the guest has what the store does not know: a higher revision, or the same with another digest. */
  isAhead(config: ConfigRecord): boolean;
  /** Gives the configuration a number above the guest's. */
  raise(config: ConfigRecord): Promise<ConfigRecord | StepResult>;
  /** Pushes the configuration where the guest has another one and did not refuse this. Never rejects. */
  run(at: Connection, config: ConfigRecord): Promise<StepResult>;
  /** Forgets refusals: the agent is another one of the same name. */
  forget(): void;
}

/** Least time between two raises, milliseconds; it doubles with each up to the most: a guest that lies must not write the store. */
const RAISE_MS = { least: 1_000, most: 600_000 };

/** Makes the step of one agent. */
export function createConfigStep(parts: ConfigStepParts): ConfigStep {
  const { waiters, verdicts } = parts;
  const observed = createObserved();
  let refused: { revision: number; bootId: string; reason: string } | undefined;
  /** A guest of protocol 1 can't say what it has: what it acknowledged on this link. */
  let assumed: { at: Connection; revision: number } | undefined;
  /** Digests of what guests get, by what is stored: a pass asks more than once. */
  const digests = new WeakMap<ConfigRecord, string>();
  let isDoubtful = false;
  let raises = 0;
  let raiseAt = 0;

  /** What the guest is to report; undefined where the secrets can't be opened. */
  function wanted(config: ConfigRecord): Report | undefined {
    try {
      const sha256 = digests.get(config) ?? parts.open(config).sha256;
      digests.set(config, sha256);
      return { revision: config.revision, sha256 };
    } catch {
      return undefined;
    }
  }

  function take(at: Connection): boolean {
    const { configRevision = 0, configSha256 = "" } = at.heartbeat;
    const kind = observed.take(at.bootId, { revision: configRevision, sha256: configSha256 });
    if (kind === "older") isDoubtful = true;
    return kind !== "same";
  }

  /** The reason where this boot refused this revision, in this life of the program or before. */
  function refusalOf(at: Connection, config: ConfigRecord): string | undefined {
    if (refused?.revision === config.revision && refused.bootId === at.bootId) return refused.reason;
    const { outcome, bootId, reason } = config.verdict;
    return outcome === "refused" && bootId !== "" && bootId === at.bootId ? reason : undefined;
  }

  function isInForce(at: Connection, config: ConfigRecord): boolean {
    if (at.protocol === 1) return assumed?.at === at && assumed.revision === config.revision;
    const report = wanted(config);
    return !isDoubtful && report !== undefined && sameReport(observed, report);
  }

  function note(at: Connection, config: ConfigRecord, outcome: "applied" | "refused", reason: string): void {
    const entry = { revision: config.revision, outcome, reason, bootId: at.bootId };
    if (!isRecorded(config.verdict, entry)) verdicts.note(entry);
  }

  async function push(at: Connection, config: ConfigRecord): Promise<StepResult> {
    let open: ConfigRecord;
    try {
      open = parts.open(config);
    } catch (error) {
      return again(config.revision, error instanceof Error ? error.message : String(error));
    }
    parts.onPush();
    const answer = await pushConfig(at, open, parts.pushMs, hideSecrets(config.config, open.config));
    if (answer.inForce !== undefined) observed.take(at.bootId, answer.inForce);
    if (answer.applied) return applied(at, config);
    if (!answer.refused) return again(config.revision, answer.reason);
    if (isElsewhere(answer, open)) return { kind: "again", reason: answer.reason };
    refused = { revision: config.revision, bootId: at.bootId, reason: answer.reason };
    note(at, config, "refused", answer.reason);
    waiters.configJudged(config.revision, verdictOf(answer));
    return { kind: "refused", reason: answer.reason };
  }

  function applied(at: Connection, config: ConfigRecord): StepResult {
    isDoubtful = false;
    refused = undefined;
    if (at.protocol === 1) {
      assumed = { at, revision: config.revision };
      observed.take("", { revision: config.revision, sha256: "" });
    }
    note(at, config, "applied", "");
    waiters.configJudged(config.revision, { applied: true, refused: false, reason: "" });
    return DONE;
  }

  function again(revision: number, reason: string): StepResult {
    waiters.configJudged(revision, { applied: false, refused: false, reason });
    return { kind: "again", reason };
  }

  return {
    observed,
    get isDoubtful() {
      return isDoubtful;
    },
    connected(at) {
      isDoubtful = false;
      if (at.protocol === 2) take(at);
      else refused = undefined;
    },
    heartbeat: (at) => at.protocol === 2 && take(at),
    isAhead(config) {
      if (observed.revision !== config.revision) return observed.revision > config.revision;
      const report = wanted(config);
      return report !== undefined && observed.sha256 !== report.sha256;
    },
    async raise(config) {
      const wait = raiseAt - monotonicNow();
      const told = `the agent reports revision ${observed.revision}, which is not of this store`;
      if (wait > 0) return { kind: "again", reason: told, waitMs: wait };
      raiseAt = monotonicNow() + Math.min(RAISE_MS.least * 2 ** raises++, RAISE_MS.most);
      try {
        const raised = await parts.raise(observed.revision);
        waiters.configRaised(config.revision, raised.revision);
        return raised;
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== "too_many") throw error;
        const reason = `${told}, and so high that none is left above it`;
        waiters.configJudged(config.revision, { applied: false, refused: false, reason });
        return { kind: "parked", reason };
      }
    },
    async run(at, config) {
      const reason = refusalOf(at, config);
      if (reason !== undefined) {
        waiters.configJudged(config.revision, { applied: false, refused: true, reason });
        return { kind: "refused", reason };
      }
      if (!isInForce(at, config)) return push(at, config);
      note(at, config, "applied", "");
      waiters.configJudged(config.revision, { applied: true, refused: false, reason: "" });
      return DONE;
    },
    forget() {
      refused = undefined;
    },
  };
}

function verdictOf({ applied, refused, reason }: ConfigAnswer): Verdict {
  return { applied, refused, reason };
}

/** True where the guest refused since it has a revision that this store does not know: no verdict on the configuration. */
function isElsewhere({ inForce }: ConfigAnswer, config: ConfigRecord): boolean {
  if (inForce === undefined || inForce.revision < config.revision) return false;
  return !sameReport(inForce, config);
}
