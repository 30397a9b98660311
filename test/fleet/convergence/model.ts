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
  Report,
  Said,
  Verdict,
  VerdictEntry,
} from "../../../src/fleet/convergence/facts.ts";
import type { ConvergenceOutput } from "../../../src/fleet/convergence/output.ts";
import type { ConfigRecord } from "../../../src/store/store.ts";
import { config, digest, textOf } from "./rig.ts";

/** What a request of the kernel comes to. */
export type Fate =
  /** As it should be. */
  | "done"
  /** It is done, and nobody hears of it: the answer is that there was none. */
  | "done unheard"
  /** It is not done. */
  | "failed"
  /** The guest says "not now". */
  | "not now";

type Request =
  | { readonly kind: "load"; readonly found: Desired; readonly hidden: number }
  | { readonly kind: "raise"; readonly above: number }
  | { readonly kind: "config"; readonly record: ConfigRecord }
  | { readonly kind: "context"; readonly push: ContextPush };

/** The store has no revision above it. */
export const HIGHEST = 5_000;

const NONE: Report = { revision: 0, sha256: "" };

/** A store of one agent. Versions and contents are never used twice. */
export class ModelStore {
  revision = 1;
  content = "first";
  readonly contexts = new Map<string, ContextEntry>();
  #versions = 0;

  get desired(): Desired {
    return { config: this.config, contexts: [...this.contexts.values()] };
  }

  get config(): DesiredConfig {
    return config(this.revision, this.content);
  }

  put(content: string): DesiredConfig {
    this.revision++;
    this.content = content;
    return this.config;
  }

  putContext(key: string, text: string): ContextEntry {
    const entry = { key, payload: { context: text }, version: String(++this.#versions) };
    if (text === "") this.contexts.delete(key);
    else this.contexts.set(key, entry);
    return entry;
  }

  raise(above: number): DesiredConfig {
    this.revision = Math.max(this.revision, above + 1);
    return this.config;
  }
}

/** A guest: what it has in force. It applies what it is told, unless it refuses the content. */
export class ModelGuest {
  bootId = "boot-1";
  inForce = NONE;
  readonly texts = new Map<string, string>();
  refusesConfig = false;
  refusesContext = false;

  get contextSha256(): string {
    return contextDigest(this.texts);
  }

  get heartbeat(): Said {
    const { revision, sha256 } = this.inForce;
    return {
      configRevision: revision,
      configSha256: sha256,
      contextSha256: this.contextSha256,
      openclaw: "ready",
    };
  }

  takeConfig({ revision, sha256: stored }: ConfigRecord): ConfigAnswer {
    const { inForce } = this;
    const refused = { applied: false, refused: true, inForce, sha256: stored };
    if (this.refusesConfig) return { ...refused, reason: "no" };
    const isSame = inForce.revision === revision && inForce.sha256 === stored;
    if (inForce.revision >= revision && !isSame) return { ...refused, reason: "older" };
    this.inForce = { revision, sha256: stored };
    return { applied: true, refused: false, reason: "", inForce: this.inForce, sha256: stored };
  }

  takeContext({ entry: { key, payload }, keys }: ContextPush): ContextAnswer {
    if (this.refusesContext)
      return { applied: false, refused: true, reason: "no", contextSha256: this.contextSha256 };
    for (const held of this.texts.keys()) if (keys?.includes(held) === false) this.texts.delete(held);
    const text = payload["context"];
    if (typeof text !== "string" || text === "") this.texts.delete(key);
    else this.texts.set(key, text);
    return { applied: true, refused: false, reason: "", contextSha256: this.contextSha256 };
  }
}

/** A kernel between a store and a guest, with requests that are answered when the test says so, and how. */
export class ModelWorld implements ConvergenceOutput {
  readonly kernel: Convergence;
  readonly store = new ModelStore();
  readonly guest = new ModelGuest();
  readonly waiting = new Set<number>();
  now = 1_000;
  isLinked = false;
  /** The guest has something else than it said last. */
  isGuestHidden = false;
  requests = 0;
  #request: Request | undefined;
  #isRecording = false;
  /** The link was lost since the request under way was made. */
  #isLost = false;
  #waiter = 0;
  #hidden = 0;
  #hiddenSeen = 0;
  #contents = 0;

  constructor(random: () => number, make = (output: ConvergenceOutput) => new Convergence(output, random)) {
    this.kernel = make(this);
  }

  /** The store was changed by another process, and what was found there since is not known. */
  get isStoreHidden(): boolean {
    return this.#hidden > this.#hiddenSeen;
  }

  /** Another process has changed the store. */
  hide(): void {
    this.#hidden++;
  }

  get isAsked(): boolean {
    return this.#request !== undefined;
  }

  load(): void {
    this.#ask({ kind: "load", found: this.store.desired, hidden: this.#hidden });
  }
  raise(above: number): void {
    this.#ask({ kind: "raise", above });
  }
  pushConfig(record: ConfigRecord): void {
    this.#ask({ kind: "config", record });
  }
  pushContext(push: ContextPush): void {
    this.#ask({ kind: "context", push });
  }
  record(_verdict: VerdictEntry): void {
    if (this.#isRecording) throw new Error("two verdicts are written at once");
    this.#isRecording = true;
  }
  configJudged(waiter: number, _outcome: ConfigOutcome): void {
    this.#judged(waiter);
  }
  contextJudged(waiter: number, _verdict: Verdict): void {
    this.#judged(waiter);
  }
  changed(): void {}

  /** A client stores a configuration or a context entry, and waits for the guest's word. */
  push(key: string | undefined, text: string): void {
    const waiter = ++this.#waiter;
    this.waiting.add(waiter);
    if (key === undefined)
      this.kernel.configStored(this.store.put(`content ${++this.#contents}`), waiter, this.now);
    else this.kernel.contextStored(this.store.putContext(key, text), waiter, this.now);
  }

  connect(): void {
    const { bootId, heartbeat } = this.guest;
    this.isLinked = true;
    this.isGuestHidden = false;
    this.kernel.connected({ bootId, reports: true, heartbeat }, this.now);
  }

  /** The link is lost. A push that is under way comes through or not; its answer does not. */
  disconnect(comesThrough: boolean): void {
    if (comesThrough && this.#request?.kind === "config") this.guest.takeConfig(this.#request.record);
    if (comesThrough && this.#request?.kind === "context") this.guest.takeContext(this.#request.push);
    this.#isLost = true;
    this.isLinked = false;
    this.kernel.disconnected();
  }

  /** The guest says what it has in force, or something else. */
  heartbeat(said?: Said): void {
    if (!this.isLinked) return;
    this.isGuestHidden = said !== undefined;
    this.kernel.heartbeat(said ?? this.guest.heartbeat, this.now);
  }

  /** Time goes on, to the next wake if no other is named. */
  sleep(ms = Math.max(0, (this.kernel.nextWake ?? this.now) - this.now)): void {
    this.now += ms;
    this.kernel.tick(this.now);
    const { nextWake } = this.kernel;
    if (nextWake !== undefined && nextWake <= this.now) throw new Error("a tick left something to be done");
  }

  /** The request under way, if there is one, gets its answer. */
  answer(wanted: Fate): void {
    const isPush = this.#request?.kind === "config" || this.#request?.kind === "context";
    const fate = isPush && this.#isLost ? "failed" : wanted;
    this.#isLost = false;
    if (this.#isRecording) {
      this.#isRecording = false;
      if (fate === "failed") this.kernel.recordFailed(this.now);
      else this.kernel.recorded(this.now);
    }
    const request = this.#request;
    this.#request = undefined;
    if (request === undefined) return;
    switch (request.kind) {
      case "load":
        if (fate === "done") this.#hiddenSeen = request.hidden;
        if (fate === "done") return this.kernel.loaded(request.found, this.now);
        return this.kernel.loadFailed("the store is away", this.now);
      case "raise":
        if (fate === "failed") return this.kernel.raiseFailed(false, "the store is away", this.now);
        if (request.above >= HIGHEST) return this.kernel.raiseFailed(true, "none is left", this.now);
        return this.kernel.raised(this.store.raise(request.above), this.now);
      case "config":
        return this.kernel.configAnswered(this.#configAnswer(request.record, fate), this.now);
      case "context":
        return this.kernel.contextAnswered(this.#contextAnswer(request.push, fate), this.now);
    }
  }

  /** Undefined if the guest has what it is to have; else what it lacks. */
  difference(): string | undefined {
    const { revision, content, contexts } = this.store;
    const { inForce, texts } = this.guest;
    if (inForce.revision !== revision || inForce.sha256 !== digest(content))
      return `revision ${inForce.revision}, not ${revision}`;
    const wanted = [...contexts.values()].map(({ key, payload }) => `${key}=${textOf(payload)}`);
    const has = [...texts].map(([key, text]) => `${key}=${text}`);
    return wanted.toSorted().join() === has.toSorted().join()
      ? undefined
      : `${has.join()}, not ${wanted.join()}`;
  }

  #ask(request: Request): void {
    if (this.#request !== undefined)
      throw new Error(`${request.kind} while ${this.#request.kind} is under way`);
    this.requests++;
    this.#isLost = false;
    this.#request = request;
  }

  #judged(waiter: number): void {
    if (!this.waiting.delete(waiter)) throw new Error(`waiter ${waiter} is answered twice`);
  }

  #configAnswer(record: ConfigRecord, fate: Fate): ConfigAnswer {
    const reason = fate === "not now" ? "not now" : "no answer";
    const { sha256 } = record;
    const failed = { applied: false, refused: false, reason, inForce: undefined, sha256 };
    // A push that was under way when the link was lost may have come through.
    if (fate === "failed" || fate === "not now") return failed;
    const answer = this.guest.takeConfig(record);
    return fate === "done" ? answer : failed;
  }

  #contextAnswer(push: ContextPush, fate: Fate): ContextAnswer {
    const reason = fate === "not now" ? "not now" : "no answer";
    const failed = { applied: false, refused: false, reason, contextSha256: undefined };
    if (fate === "not now") return { ...failed, contextSha256: this.guest.contextSha256 };
    if (fate === "failed") return failed;
    const answer = this.guest.takeContext(push);
    return fate === "done" ? answer : failed;
  }
}
