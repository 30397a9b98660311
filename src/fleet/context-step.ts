import type { JsonObject } from "@bufbuild/protobuf";
import type { Connection } from "../link/connection.ts";
import type { ContextRecord } from "../store/store.ts";
import { contextDigest } from "@valinor/protocol";
import { type ContextAnswer, pushContext, type Verdict } from "./push.ts";
import { DONE, type StepResult } from "./steps.ts";
import type { Waiters } from "./waiters.ts";

/** What the step needs. */
export interface ContextStepParts {
  /** Called before a push. */
  onPush(): void;
  readonly waiters: Waiters;
  /** How long a push may take, milliseconds. */
  readonly pushMs: number;
}

/** Brings the context to a guest. */
export interface ContextStep {
  /** A link is up. */
  connected(at: Connection): void;
  /** A heartbeat came; true where the guest has another context than was known. */
  heartbeat(at: Connection): boolean;
  /** Pushes the entries that the guest lacks, and removes those that it has too many. Never rejects. */
  run(at: Connection, contexts: readonly ContextRecord[]): Promise<StepResult>;
  /** Forgets refusals: the agent is another one of the same name. */
  forget(): void;
}

type Entries = Map<string, ContextRecord>;

/** Wait before a context is pushed anew to a guest that says it has another one; it doubles. */
const MISS_MS = { least: 500, most: 60_000 };

const APPLIED: Verdict = { applied: true, refused: false, reason: "" };

/** Makes the step of one agent. */
export function createContextStep(parts: ContextStepParts): ContextStep {
  const { waiters, pushMs } = parts;
  /** What the guest has; undefined where that is not known. */
  let held: Entries | undefined;
  /** The digest that the guest last told; undefined where it tells none. */
  let told: string | undefined;
  let current: Connection | undefined;
  let boot: string | undefined;
  let misses = 0;
  /** Entries that this boot refused, by key: not pushed again. */
  const refusals = new Map<string, { version: string; reason: string }>();

  const isRefused = ({ key, version }: ContextRecord) => refusals.get(key)?.version === version;

  /** Pushes one entry. True where the guest has it now or refused it; else the reason. */
  async function push(
    at: Connection,
    record: ContextRecord,
    keys?: readonly string[],
  ): Promise<true | string> {
    parts.onPush();
    const { key, payload, version } = record;
    const answer = await pushContext(at, { key, payload, keys }, pushMs);
    if (at !== current) return answer.reason || "the link was lost";
    told = answer.contextSha256;
    if (answer.refused) refusals.set(key, { version, reason: answer.reason });
    // Without a word whoever waits goes on waiting: a refusal that comes later has the entry taken back.
    if (answer.applied || answer.refused) waiters.contextJudged(key, version, verdictOf(answer));
    if (answer.applied && held !== undefined) set(held, record);
    return answer.applied || answer.refused ? true : answer.reason;
  }

  /** Everything anew. The first update that the guest takes drops what is no longer to be there. */
  async function pushAll(
    at: Connection,
    contexts: readonly ContextRecord[],
    replace: boolean,
  ): Promise<true | string> {
    const taken: Entries = new Map();
    let drop = replace;
    for (const record of contexts) {
      if (isRefused(record)) continue;
      const wanted = contexts.filter((other) => !isRefused(other)).map(({ key }) => key);
      const done = await push(at, record, drop ? wanted : undefined);
      if (done !== true) return done;
      if (isRefused(record)) continue;
      taken.set(record.key, record);
      drop = false;
    }
    if (drop) {
      const done = await push(at, removalOf(""), []);
      if (done !== true) return done;
    }
    for (const record of replace ? [] : awaitedRemovals(contexts)) {
      const done = await push(at, record);
      if (done !== true) return done;
    }
    held = taken;
    return true;
  }

  /** What differs from what the guest has, and removals that somebody waits for. */
  async function pushChanges(
    at: Connection,
    has: Entries,
    contexts: readonly ContextRecord[],
  ): Promise<true | string> {
    const removals = awaitedRemovals(contexts);
    const gone = [...has.keys()].filter((key) => !hasKey(contexts, key) && !hasKey(removals, key));
    const changed = contexts.filter((record) => has.get(record.key)?.version !== record.version);
    for (const record of [...removals, ...gone.map(removalOf), ...changed]) {
      if (isRefused(record)) continue;
      const done = await push(at, record);
      if (done !== true) return done;
    }
    return true;
  }

  /** Removals that somebody waits for, of entries that are really not to be there. */
  const awaitedRemovals = (contexts: readonly ContextRecord[]) =>
    waiters.removals().filter(({ key }) => !hasKey(contexts, key));

  /** True where the guest tells no digest, or that of what it is known to have. */
  const isAsTold = (entries: Entries) => told === undefined || told === digestOf(entries);

  async function bring(at: Connection, contexts: readonly ContextRecord[]): Promise<StepResult> {
    const tells = at.heartbeat.contextSha256 !== undefined;
    const wanted: Entries = new Map(contexts.filter((one) => !isRefused(one)).map((one) => [one.key, one]));
    if (held === undefined && tells && told === digestOf(wanted)) held = wanted;
    if (held !== undefined) {
      const done = await pushChanges(at, held, contexts);
      if (done !== true) return { kind: "again", reason: done };
      if (isAsTold(held)) return DONE;
      held = undefined;
    }
    const done = await pushAll(at, contexts, tells);
    if (done !== true) return { kind: "again", reason: done };
    if (held !== undefined && isAsTold(held)) return DONE;
    held = undefined;
    const waitMs = Math.min(MISS_MS.least * 2 ** misses++, MISS_MS.most);
    return { kind: "again", reason: "the agent has another context than was pushed", waitMs };
  }

  /** What the guest would not take, or would not let go. */
  function stuck(contexts: readonly ContextRecord[]): StepResult {
    const [first] = contexts.filter(isRefused);
    if (first !== undefined)
      return { kind: "parked", reason: `${nameOf(first.key)}: ${refusals.get(first.key)?.reason ?? ""}` };
    const kept = [...(held?.keys() ?? [])].find((key) => !hasKey(contexts, key));
    if (kept === undefined) return DONE;
    return { kind: "parked", reason: `${nameOf(kept)}: the agent does not let it go` };
  }

  /** Answers those who wait for what the guest had already, or had refused before. */
  function answerRest(contexts: readonly ContextRecord[]): void {
    for (const { key, version } of contexts) {
      const reason = refusals.get(key)?.version === version ? refusals.get(key)?.reason : undefined;
      if (reason !== undefined)
        waiters.contextJudged(key, version, { applied: false, refused: true, reason });
      else if (held?.get(key)?.version === version) waiters.contextJudged(key, version, APPLIED);
    }
    for (const { key, version } of waiters.removals())
      if (held?.has(key) === false) waiters.contextJudged(key, version, APPLIED);
  }

  return {
    connected(at) {
      current = at;
      held = undefined;
      misses = 0;
      told = at.heartbeat.contextSha256;
      // A guest of protocol 1 does not say whether it is the same boot.
      if (at.bootId === "" || at.bootId !== boot) refusals.clear();
      boot = at.bootId;
    },
    heartbeat(at) {
      const { contextSha256 } = at.heartbeat;
      if (contextSha256 === undefined || contextSha256 === told) return false;
      told = contextSha256;
      if (held !== undefined && isAsTold(held)) return false;
      held = undefined;
      return true;
    },
    async run(at, contexts) {
      for (const [key, { version }] of refusals)
        if (!contexts.some((one) => one.key === key && one.version === version)) refusals.delete(key);
      const result = await bring(at, contexts);
      if (result.kind !== "done") return result;
      misses = 0;
      answerRest(contexts);
      return stuck(contexts);
    },
    forget: () => refusals.clear(),
  };
}

/** Stands for the removal of an entry that nobody waits for. */
function removalOf(key: string): ContextRecord {
  return { key, payload: { context: "" }, updateTime: new Date(0), version: "" };
}

function hasKey(contexts: readonly ContextRecord[], key: string): boolean {
  return contexts.some((record) => record.key === key);
}

function nameOf(key: string): string {
  return key === "" ? "the default context entry" : `context entry ${JSON.stringify(key)}`;
}

function set(entries: Entries, record: ContextRecord): void {
  if (record.payload["context"] === "") entries.delete(record.key);
  else entries.set(record.key, record);
}

function textOf({ context }: JsonObject): string {
  return typeof context === "string" ? context : "";
}

function digestOf(entries: Entries): string {
  return contextDigest([...entries.values()].map(({ key, payload }) => [key, textOf(payload)]));
}

function verdictOf({ applied, refused, reason }: ContextAnswer): Verdict {
  return { applied, refused, reason };
}
