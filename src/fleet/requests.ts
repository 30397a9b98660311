import type { JsonObject } from "@bufbuild/protobuf";
import { configDigest, LinkError } from "@valinor/protocol";
import type { Connection } from "../link/connection.ts";
import { type AgentKey, type ConfigRecord, type Store, StoreError } from "../store/store.ts";
import { VaultError } from "../store/vault/vault.ts";
import {
  type ConfigAnswer,
  type ContextAnswer,
  type ContextPush,
  type Desired,
  type DesiredConfig,
  notApplied,
  type VerdictEntry,
} from "./convergence/facts.ts";
import { hideSecrets } from "./hide-secrets.ts";
import { pushConfig, pushContext } from "./push.ts";
import type { UnexpectedErrors } from "./unexpected.ts";

/** What the requests of all agents need. */
export interface RequestOptions {
  readonly store: Pick<Store, "currentConfig" | "contexts" | "raiseRevision" | "recordVerdict">;
  /** The secrets of a configuration in the open. Throws VaultError if it can't: the agent then stays `pending`, with the error's text as reason. */
  openConfig(key: AgentKey, stored: JsonObject): JsonObject;
  /** How long each push may take, milliseconds. */
  readonly configMs: number;
  readonly errors: UnexpectedErrors;
}

/** Why something was not done, in words that may be shown. */
export interface Failure {
  readonly reason: string;
  /** There is no revision above the one that was asked for. */
  readonly isExhausted: boolean;
}

const LOST = "the link to the agent was lost";

/** What convergence asks for is done here: each request resolves with an answer, and never rejects. */
export class Requests {
  readonly #options: RequestOptions;

  constructor(options: RequestOptions) {
    this.#options = options;
  }

  /** A configuration with the digest that its guest is to report. */
  desiredOf(key: AgentKey, record: ConfigRecord): DesiredConfig {
    try {
      return { record, sha256: this.#open(key, record).sha256 };
    } catch (error) {
      // Whoever pushes it hears why.
      this.#openFailed(key, error);
      return { record, sha256: undefined };
    }
  }

  /** Looks up what an agent is to have. */
  async load(key: AgentKey): Promise<Desired | Failure> {
    const { store } = this.#options;
    try {
      const [record, contexts] = await Promise.all([store.currentConfig(key), store.contexts(key)]);
      if (record === undefined) return { reason: "the agent was deleted", isExhausted: false };
      return { config: this.desiredOf(key, record), contexts };
    } catch (error) {
      return this.#storeFailed(key, "the configuration of an agent could not be looked up", error);
    }
  }

  /** Gives an agent's configuration a revision above this one. */
  async raise(key: AgentKey, above: number): Promise<DesiredConfig | Failure> {
    try {
      return this.desiredOf(key, await this.#options.store.raiseRevision(key, above));
    } catch (error) {
      return this.#storeFailed(key, "the revision of a configuration could not be raised", error);
    }
  }

  /** Writes down what a guest said of a revision; answers whether that worked. */
  async record(key: AgentKey, { revision, ...verdict }: VerdictEntry): Promise<boolean> {
    try {
      await this.#options.store.recordVerdict(key, revision, verdict);
      return true;
    } catch (error) {
      this.#storeFailed(key, "an agent's word on its configuration could not be written down", error);
      return false;
    }
  }

  /** Pushes a configuration with its secrets open. */
  async pushConfig(key: AgentKey, to: Connection | undefined, config: ConfigRecord): Promise<ConfigAnswer> {
    let opened: ConfigRecord;
    try {
      opened = this.#open(key, config);
    } catch (error) {
      return { ...notApplied(this.#openFailed(key, error)), inForce: undefined, sha256: undefined };
    }
    const { sha256 } = opened;
    try {
      if (to === undefined) throw new LinkError("interrupted", LOST);
      return await pushConfig(to, opened, this.#options.configMs, hideSecrets(config.config, opened.config));
    } catch (error) {
      return { ...notApplied(this.#pushFailed(key, error)), inForce: undefined, sha256 };
    }
  }

  /** Pushes a context entry. */
  async pushContext(key: AgentKey, to: Connection | undefined, push: ContextPush): Promise<ContextAnswer> {
    try {
      if (to === undefined) throw new LinkError("interrupted", LOST);
      return await pushContext(to, push, this.#options.configMs);
    } catch (error) {
      return { ...notApplied(this.#pushFailed(key, error)), contextSha256: undefined };
    }
  }

  /** Counts an error that nobody expects, and says so in words that may be shown. */
  unexpected({ tenant, id }: AgentKey, what: string, error: unknown): string {
    this.#options.errors.note(what, error, { tenant, agent: id });
    return `${what}, for a reason that the control plane has in its log`;
  }

  /** The configuration as the guest gets it: its secrets open, and the digest of that. May throw. */
  #open(key: AgentKey, record: ConfigRecord): ConfigRecord {
    const config = this.#options.openConfig(key, record.config);
    return { ...record, config, sha256: configDigest(config, record.policy) };
  }

  #openFailed(key: AgentKey, error: unknown): string {
    if (error instanceof VaultError) return error.message;
    return this.unexpected(key, "the secrets of an agent's configuration could not be opened", error);
  }

  #pushFailed(key: AgentKey, error: unknown): string {
    if (error instanceof LinkError) return error.message;
    return this.unexpected(key, "an agent could not be pushed to", error);
  }

  /** The store's words may name files: they are not shown, and the store has them logged by itself. */
  #storeFailed(key: AgentKey, what: string, error: unknown): Failure {
    if (!(error instanceof StoreError))
      return { reason: this.unexpected(key, what, error), isExhausted: false };
    return {
      reason: "its configuration could not be looked up",
      isExhausted: error.code === "too_many",
    };
  }
}
