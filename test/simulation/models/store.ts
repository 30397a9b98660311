import { configDigest } from "@valinor/protocol";
import type { ConfigRecord, ConfigVerdict, ContextRecord } from "../../../src/store/store.ts";
import type { History } from "../engine/history.ts";
import type { Chance } from "../engine/random.ts";
import { Signal, type Tasked } from "../engine/task.ts";

/** What a configuration says. */
export type Settings = Readonly<Record<string, string | boolean>>;

/** An agent as the store holds it. */
export interface StoredAgent {
  readonly id: string;
  /** Another one after it was deleted and created again. */
  readonly birth: number;
  readonly status: "RUNNING" | "STOPPED";
  readonly etag: string;
  readonly config: ConfigRecord;
  readonly contexts: readonly ContextRecord[];
}

/** The store failed or did not answer: whether a change was made is not known. */
export class StoreDown extends Error {}
/** What was to be changed is another one by now, or gone. */
export class StoreConflict extends Error {}

/** Fewer numbers than these above a guest's revision, and it is not raised. */
const ROOM = 2 ** 20;
const MOST_REVISION = 2 ** 32 - 1;

/**
 * A model of the store that several hosts share. A change is made at once and on disk, or not at all; its answer may be lost. What was
 * not on disk yet when the database dies never was. Nobody sees a change before it is on disk.
 */
export class StoreModel {
  readonly #chance: Chance;
  readonly #history: History;
  #agents = new Map<string, StoredAgent>();
  #counter = 0;
  #isUp = true;
  #life = 0;
  #slowness = 1;
  readonly #fell = new Signal();

  constructor(chance: Chance, history: History) {
    this.#chance = chance;
    this.#history = history;
  }

  /** What is stored now: for auditors and for the world's beginning. */
  peek(id: string): StoredAgent | undefined {
    return this.#agents.get(id);
  }

  /** Creates an agent before the world begins. */
  seed(id: string): void {
    this.#agents.set(id, this.#born(id));
  }

  /** The database dies: what was under way fails, or was done and nobody is told. */
  crash(): void {
    this.#isUp = false;
    this.#life++;
    this.#fell.wake();
  }

  start(): void {
    this.#isUp = true;
  }

  /** Everything takes this many times as long. */
  slow(times: number): void {
    this.#slowness = times;
  }

  /** A copy of everything, as a backup. */
  backup(): ReadonlyMap<string, StoredAgent> {
    return new Map(this.#agents);
  }

  /** Puts a backup in the place of everything. */
  restore(backup: ReadonlyMap<string, StoredAgent>): void {
    // Etags are never used twice: a store that was put back still mints new ones.
    this.#agents = new Map([...backup].map(([id, agent]) => [id, { ...agent, etag: this.#mint() }]));
  }

  /** Has every agent be one that is to run, as an operator does in the end. */
  runAll(): void {
    for (const [id, agent] of this.#agents)
      if (agent.status !== "RUNNING")
        this.#agents.set(id, { ...agent, status: "RUNNING", etag: this.#mint() });
  }

  *get(id: string): Tasked<StoredAgent | undefined> {
    yield* this.#travel();
    return this.#agents.get(id);
  }

  *all(): Tasked<readonly StoredAgent[]> {
    yield* this.#travel();
    return [...this.#agents.values()];
  }

  *putConfig(id: string, config: Settings, expected: number): Tasked<StoredAgent> {
    return yield* this.#change(id, (agent) => {
      if (expected !== 0 && agent.config.revision !== expected) throw new StoreConflict("revision_conflict");
      return { ...agent, config: configOf(agent.config.revision + 1, config) };
    });
  }

  *putContext(
    id: string,
    key: string,
    text: string,
  ): Tasked<{ before: ContextRecord | undefined; entry: ContextRecord }> {
    let replaced: ContextRecord | undefined;
    const entry = entryOf(key, text, this.#mint());
    yield* this.#change(id, (agent) => {
      replaced = agent.contexts.find((other) => other.key === key);
      return { ...agent, contexts: withEntry(agent.contexts, entry) };
    });
    return { before: replaced, entry };
  }

  /** Puts an entry back to what it was, unless somebody has changed it since. */
  *restoreContext(
    id: string,
    refused: ContextRecord,
    before: ContextRecord | undefined,
  ): Tasked<StoredAgent> {
    return yield* this.#change(id, (agent) => {
      const now = agent.contexts.find(({ key }) => key === refused.key);
      if (now?.version !== refused.version) return agent;
      const back = entryOf(refused.key, textOf(before), this.#mint());
      return { ...agent, contexts: withEntry(agent.contexts, back) };
    });
  }

  /** Gives the configuration the revision above one that a guest has; undefined if too few are left above that. */
  *raise(id: string, above: number): Tasked<ConfigRecord | undefined> {
    if (above > MOST_REVISION - ROOM) return undefined;
    const agent = yield* this.#change(id, (before) =>
      before.config.revision > above
        ? before
        : { ...before, config: { ...before.config, revision: above + 1, verdict: NO_VERDICT } },
    );
    return agent.config;
  }

  *recordVerdict(id: string, revision: number, verdict: Omit<ConfigVerdict, "time">): Tasked<void> {
    yield* this.#change(id, (agent) =>
      agent.config.revision === revision
        ? { ...agent, config: { ...agent.config, verdict: { ...verdict, time: undefined } } }
        : agent,
    );
  }

  *setStatus(id: string, status: StoredAgent["status"]): Tasked<StoredAgent> {
    return yield* this.#change(id, (agent) => ({ ...agent, status }));
  }

  /** Deletes an agent and creates another one under its name. */
  *recreate(id: string): Tasked<StoredAgent> {
    this.#history.record({ kind: "fault", name: "agent recreated", target: id });
    return yield* this.#change(id, () => this.#born(id));
  }

  /** Every change but one of the context gives the agent another etag. */
  *#change(id: string, change: (agent: StoredAgent) => StoredAgent): Tasked<StoredAgent> {
    yield* this.#travel();
    const before = this.#agents.get(id);
    if (before === undefined) throw new StoreConflict("not_found");
    const after = change(before);
    const isSeen = after.config.revision !== before.config.revision || after.status !== before.status;
    this.#agents.set(id, {
      ...after,
      etag: isSeen || after.birth !== before.birth ? this.#mint() : before.etag,
    });
    const changed = this.#agents.get(id) as StoredAgent;
    // It is on disk; the answer is still to come, and may not.
    yield* this.#travel();
    return changed;
  }

  /** One way through the network and the database. */
  *#travel(): Tasked<void> {
    const life = this.#life;
    if (this.#isUp) yield { signals: [this.#fell], ms: this.#chance.between(0.2, 3) * this.#slowness };
    else yield { signals: [], ms: this.#chance.between(1, 200) };
    if (this.#isUp && life === this.#life) return;
    this.#history.count("store: a call failed");
    throw new StoreDown("the store did not answer");
  }

  #born(id: string): StoredAgent {
    return {
      id,
      birth: ++this.#counter,
      status: "RUNNING",
      etag: this.#mint(),
      config: configOf(1, {}),
      contexts: [],
    };
  }

  #mint(): string {
    return `v${++this.#counter}`;
  }
}

const NO_VERDICT: ConfigVerdict = { outcome: "none", reason: "", bootId: "", time: undefined };
const POLICY = { mode: "all", tools: [] } as const;
/** Nothing in the simulation looks at the times of records. */
const NO_TIME = new Date(0);

function configOf(revision: number, config: Settings): ConfigRecord {
  const sha256 = configDigest(config, POLICY);
  return {
    revision,
    config: { ...config },
    policy: POLICY,
    sha256,
    author: "",
    createTime: NO_TIME,
    rollbackOf: 0,
    verdict: NO_VERDICT,
  };
}

function entryOf(key: string, context: string, version: string): ContextRecord {
  return { key, payload: { key, context }, updateTime: NO_TIME, version };
}

/** The text of an entry; empty if there is none. */
export function textOf(entry: ContextRecord | undefined): string {
  const text = entry?.payload["context"];
  return typeof text === "string" ? text : "";
}

function withEntry(contexts: readonly ContextRecord[], entry: ContextRecord): readonly ContextRecord[] {
  const others = contexts.filter(({ key }) => key !== entry.key);
  return textOf(entry) === "" ? others : [...others, entry];
}
