import { contextDigest } from "../../../protocol/wire/digest.ts";
import { Convergence } from "../../../src/fleet/convergence/convergence.ts";
import type {
  ConfigAnswer,
  ConfigOutcome,
  ContextAnswer,
  ContextEntry,
  ContextPush,
  Desired,
  DesiredConfig,
  Said,
  Verdict,
  VerdictEntry,
} from "../../../src/fleet/convergence/facts.ts";
import type { ConvergenceOutput } from "../../../src/fleet/convergence/output.ts";
import type { ConfigRecord } from "../../../src/store/store.ts";

/** What a kernel asks of its driver, as one text each. */
export type Asked = string;

/** A digest for tests: of a revision's content. */
export const digest = (content: string): string => `sha of ${content}`;

/** A configuration as the store has it; its content stands for the JSON. */
export function config(
  revision: number,
  content = `c${revision}`,
  more: Partial<ConfigRecord> = {},
): DesiredConfig {
  const record: ConfigRecord = {
    revision,
    config: { content },
    policy: { mode: "all", tools: [] },
    sha256: digest(content),
    author: "test",
    createTime: new Date(0),
    rollbackOf: 0,
    verdict: { outcome: "none", reason: "", bootId: "", time: undefined },
    ...more,
  };
  return { record, sha256: digest(content) };
}

/** A context entry; an empty text removes it. */
export function entry(key: string, text: string, version: string): ContextEntry {
  return { key, payload: { context: text, key }, version };
}

/** The text of an entry. */
export function textOf({ context }: ContextEntry["payload"]): string {
  return typeof context === "string" ? context : "";
}

/** Digest of a context, by key and text. */
export function digestOf(texts: Readonly<Record<string, string>>): string {
  return contextDigest(Object.entries(texts));
}

/** A heartbeat of a guest that has this in force. */
export function said(
  revision: number,
  content = revision === 0 ? "" : `c${revision}`,
  more: Partial<Said> = {},
): Said {
  const configSha256 = content === "" ? "" : digest(content);
  return { configRevision: revision, configSha256, contextSha256: digestOf({}), openclaw: "ready", ...more };
}

/** The guest took a configuration. */
export function took(revision: number, content = `c${revision}`): ConfigAnswer {
  const inForce = { revision, sha256: digest(content) };
  return { applied: true, refused: false, reason: "", inForce, sha256: digest(content) };
}

/** No word came on a configuration. */
export const NO_ANSWER: ConfigAnswer = {
  applied: false,
  refused: false,
  reason: "no answer",
  inForce: undefined,
  sha256: "",
};

/** The guest took a context entry, and has these texts now. */
export function tookEntry(texts: Readonly<Record<string, string>>): ContextAnswer {
  return { applied: true, refused: false, reason: "", contextSha256: digestOf(texts) };
}

/** The guest turned something down. */
export const REFUSED: Verdict = { applied: false, refused: true, reason: "the agent refused it: no" };

/** A kernel, what it asked of its driver since the last look, and a clock. */
export class Rig implements ConvergenceOutput {
  readonly kernel: Convergence;
  readonly configVerdicts = new Map<number, ConfigOutcome>();
  readonly contextVerdicts = new Map<number, Verdict>();
  readonly records: VerdictEntry[] = [];
  now = 1_000;
  changes = 0;
  #asked: Asked[] = [];

  constructor(random: () => number = () => 0.5) {
    this.kernel = new Convergence(this, random);
  }

  /** What was asked since the last look. */
  asked(): Asked[] {
    const asked = this.#asked;
    this.#asked = [];
    return asked;
  }

  load(): void {
    this.#asked.push("load");
  }
  raise(above: number): void {
    this.#asked.push(`raise above ${above}`);
  }
  pushConfig({ revision }: ConfigRecord): void {
    this.#asked.push(`push ${revision}`);
  }
  pushContext({ entry: { key, payload }, keys }: ContextPush): void {
    const rest = keys === undefined ? "" : ` only ${keys.join(",")}`;
    this.#asked.push(`context ${key}=${textOf(payload)}${rest}`);
  }
  record(verdict: VerdictEntry): void {
    this.records.push(verdict);
    this.#asked.push(`record ${verdict.outcome} ${verdict.revision}`);
  }
  configJudged(waiter: number, outcome: ConfigOutcome): void {
    if (this.configVerdicts.has(waiter)) throw new Error(`${waiter} is answered twice`);
    this.configVerdicts.set(waiter, outcome);
  }
  contextJudged(waiter: number, verdict: Verdict): void {
    if (this.contextVerdicts.has(waiter)) throw new Error(`${waiter} is answered twice`);
    this.contextVerdicts.set(waiter, verdict);
  }
  changed(): void {
    this.changes++;
  }

  /** A link comes up. */
  connect(heartbeat: Said, bootId = "boot-1", reports = true): void {
    this.kernel.connected({ bootId, reports, heartbeat }, this.now);
  }

  /** The store answers a look. */
  loaded(desired: DesiredConfig, contexts: readonly ContextEntry[] = []): void {
    this.kernel.loaded({ config: desired, contexts } satisfies Desired, this.now);
  }

  /** Time goes on, to the kernel's next wake if no other is named. Answers how long that was. */
  sleep(ms = (this.kernel.nextWake ?? this.now) - this.now): number {
    this.now += ms;
    this.kernel.tick(this.now);
    return ms;
  }

  /** A guest that has revision 1 in force and nothing else, at rest. */
  static atRest(contexts: readonly ContextEntry[] = []): Rig {
    const rig = new Rig();
    const texts = Object.fromEntries(contexts.map(({ key, payload }) => [key, textOf(payload)]));
    rig.connect(said(1, "c1", { contextSha256: digestOf(texts) }));
    rig.loaded(
      config(1, "c1", { verdict: { outcome: "applied", reason: "", bootId: "boot-1", time: undefined } }),
      contexts,
    );
    rig.asked();
    return rig;
  }
}
