import type { ConfigAckJson } from "@valinor/proto/valinor/link/v1/link";
import {
  configDigest,
  type PolicyForDigest,
  type UnknownObject,
  NO_TOOLS_ALLOWLIST,
  isObject,
  isUint32,
} from "@valinor/protocol";
import { Failure } from "../runs/failure.ts";
import { errorName, type Log } from "../log.ts";
import type { Steering } from "../openclaw/gateway/steer.ts";
import { readSettings, type Settings } from "./settings.ts";

/** A configuration in force. A run keeps the one it began with. */
export interface AppliedConfig {
  /** 0 before the first. */
  readonly revision: number;
  /** Empty before the first. */
  readonly sha256: string;
  readonly settings: Settings;
  readonly policy: PolicyForDigest;
  /** True where the model may call the tool. */
  allows(tool: string): boolean;
}

/** Before its first configuration the agent allows no tool. */
const NONE = configOf({ revision: 0, sha256: "", settings: {}, policy: { mode: "listed", tools: [] } });

/** A configuration without what follows from it. */
type Wanted = Omit<AppliedConfig, "allows">;

/** What a configuration goes through before it is in force. */
export interface ConfigParts {
  readonly log: Log;
  /** Configurations that may wait for their turn. */
  readonly queued: number;
  /** Makes OpenClaw obey: see OpenClaw.apply. */
  readonly apply: (wanted: Steering) => Promise<string | undefined>;
  /** Called after each change, not where the same configuration comes again. */
  readonly onApplied: () => void;
}

/** The configuration in force, and the rules by which another takes its place: one after the other. */
export class Config {
  readonly #parts: ConfigParts;
  #applied = NONE;
  #turn: Promise<unknown> = Promise.resolve();
  /** Those that wait or are being applied, by revision and digest: the same one again waits for the same end. */
  readonly #pending = new Map<string, Promise<ConfigAckJson>>();

  constructor(parts: ConfigParts) {
    this.#parts = parts;
  }

  get applied(): AppliedConfig {
    return this.#applied;
  }

  /**
   * Applies the payload of a `config_update`; resolves with what is in force afterwards. Where OpenClaw is away nothing can be
   * said of it yet: the answer has `retry`, and the host pushes again. Rejects with Failure `invalid_config` where it is
   * no config update at all.
   */
  async update(payload: UnknownObject): Promise<ConfigAckJson> {
    const config = payload["config"] ?? {};
    if (!isObject(config)) throw new Failure("invalid_config", "config is not an object");
    const policy = readPolicy(payload);
    const sha256 = configDigest(config, policy);
    const revision = payload["revision"] ?? undefined;
    const settings = readSettings(config);
    if (typeof settings === "string") return this.#ack(settings);
    const told = payload["sha256"] ?? undefined;
    if (!isUint32(revision) || revision === 0) return this.#ack("revision is not an integer from 1");
    if (told !== undefined && told !== sha256)
      return this.#ack("sha256 is not the digest of this config and tool policy");
    return this.#enqueue({ revision, sha256, settings, policy });
  }

  /** OpenClaw is there again: what is in force is to be in force there too. It may have lost it, or somebody changed it. */
  reapply(): void {
    const { revision } = this.#applied;
    if (revision > 0) this.#turn = this.#turn.then(() => this.#reapply(revision));
  }

  async #reapply(revision: number): Promise<void> {
    if (this.#applied.revision !== revision) return; // a later one has been applied since
    const { apply, log } = this.#parts;
    const reason = await apply(steeringOf(this.#applied)).catch(errorName);
    if (reason !== undefined) log.warn("config_not_reapplied", { revision, reason });
  }

  #enqueue(wanted: Wanted): Promise<ConfigAckJson> {
    const key = `${wanted.revision} ${wanted.sha256}`;
    const known = this.#pending.get(key);
    if (known !== undefined) return known;
    if (this.#pending.size >= this.#parts.queued)
      return Promise.resolve(this.#notNow("too many configurations wait for their turn"));
    const put = this.#turn.then(() => this.#put(wanted)).finally(() => this.#pending.delete(key));
    this.#pending.set(key, put);
    this.#turn = put.catch(() => {});
    return put;
  }

  /** Never rejects. */
  async #put(wanted: Wanted): Promise<ConfigAckJson> {
    const { revision, sha256 } = wanted;
    const { apply, log, onApplied } = this.#parts;
    const { revision: inForce, sha256: digest } = this.#applied;
    if (revision < inForce)
      return this.#ack(`revision ${revision} is older than ${inForce}, which is in force`);
    if (revision === inForce) {
      return this.#ack(
        sha256 === digest ? undefined : `revision ${revision} is in force with another digest`,
      );
    }
    try {
      const refused = await apply(steeringOf(wanted));
      if (refused !== undefined) {
        log.warn("config_refused", { revision });
        return this.#ack(refused);
      }
    } catch (error) {
      log.warn("config_waits", { revision, reason: errorName(error) });
      return this.#notNow("OpenClaw is away, so that it can't be applied yet");
    }
    this.#applied = configOf(wanted);
    onApplied();
    return this.#ack(undefined);
  }

  /** What is in force stays, and nothing is said of the new one: the host pushes it again. */
  #notNow(reason: string): ConfigAckJson {
    return { ...this.#ack(reason), retry: true };
  }

  #ack(reason: string | undefined): ConfigAckJson {
    const { revision, sha256 } = this.#applied;
    const ack: ConfigAckJson = { applied: reason === undefined, revision, sha256 };
    return reason === undefined ? ack : { ...ack, reason };
  }
}

function configOf(wanted: Wanted): AppliedConfig {
  return { ...wanted, allows: allows(wanted.policy) };
}

function steeringOf({ settings, policy }: Wanted): Steering {
  return { model: settings.model, policy };
}

/** The tool policy; where there is none, the allow-list of protocol 1 in its place. */
function readPolicy(payload: UnknownObject): PolicyForDigest {
  const policy = payload["tool_policy"] ?? undefined;
  if (policy !== undefined) {
    if (!isObject(policy)) throw new Failure("invalid_config", "tool_policy is not an object");
    const { mode } = policy;
    if (mode !== "all" && mode !== "listed") {
      throw new Failure("invalid_config", "tool_policy.mode is neither all nor listed");
    }
    return { mode, tools: readTools(policy["tools"], "tool_policy.tools") };
  }
  const list = readTools(payload["tool_allowlist"], "tool_allowlist");
  if (list.length === 0) return { mode: "all", tools: [] };
  const none = list.length === 1 && list[0] === NO_TOOLS_ALLOWLIST[0];
  return { mode: "listed", tools: none ? [] : list };
}

function readTools(value: unknown, name: string): string[] {
  const tools = value ?? [];
  if (!Array.isArray(tools) || !tools.every((tool) => typeof tool === "string")) {
    throw new Failure("invalid_config", `${name} is not a list of names`);
  }
  return tools;
}

function allows(policy: PolicyForDigest): (tool: string) => boolean {
  if (policy.mode === "all") return () => true;
  const listed = new Set(policy.tools);
  return (tool) => listed.has(tool);
}
