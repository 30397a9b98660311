import type { ConfigAckJson } from "../gen/ts/valinor/link/v1/link_pb.ts";
import { configDigest, type PolicyForDigest } from "../src/wire/digest.ts";
import type { UnknownObject } from "../src/wire/frame.ts";
import { NO_TOOLS_ALLOWLIST } from "../src/wire/vocabulary.ts";
import { Failure } from "./failure.ts";
import { isObject, isUint32 } from "./payload.ts";
import { readSettings, type Settings } from "./settings.ts";

/** A configuration in force. A run keeps the one it began with. */
export interface AppliedConfig {
  /** 0 before the first. */
  readonly revision: number;
  /** Empty before the first. */
  readonly sha256: string;
  readonly settings: Settings;
  /** True where the model may call the tool. */
  allows(tool: string): boolean;
}

/** Before its first configuration the agent allows no tool. */
const NONE: AppliedConfig = { revision: 0, sha256: "", settings: {}, allows: () => false };

/** The configuration in force, and the rules by which another takes its place. */
export class Config {
  readonly #onApplied: () => void;
  #applied = NONE;

  /** `onApplied` is called after each change, not where the same configuration comes again. */
  constructor(onApplied: () => void) {
    this.#onApplied = onApplied;
  }

  get applied(): AppliedConfig {
    return this.#applied;
  }

  /**
   * Applies the payload of a `config_update` and answers with what is in force afterwards.
   * Throws Failure `invalid_config` where it is no config update at all.
   */
  update(payload: UnknownObject): ConfigAckJson {
    const config = payload["config"] ?? {};
    if (!isObject(config)) throw new Failure("invalid_config", "config is not an object");
    const policy = readPolicy(payload);
    const sha256 = configDigest(config, policy);
    const revision = payload["revision"] ?? undefined;
    const settings = readSettings(config);
    const reason =
      typeof settings === "string" ? settings : this.#refusal(revision, sha256, payload["sha256"]);
    const { revision: inForce } = this.#applied;
    if (reason !== undefined || typeof settings === "string") return this.#ack(reason);
    if (revision === inForce) return this.#ack(undefined);
    this.#applied = { revision: revision as number, sha256, settings, allows: allows(policy) };
    this.#onApplied();
    return this.#ack(undefined);
  }

  /** Why a revision may not take the place of the one in force. */
  #refusal(revision: unknown, sha256: string, told: unknown): string | undefined {
    const { revision: inForce, sha256: digest } = this.#applied;
    if (!isUint32(revision) || revision === 0) return "revision is not an integer from 1";
    if (told !== undefined && told !== null && told !== sha256) {
      return "sha256 is not the digest of this config and tool policy";
    }
    if (revision < inForce) return `revision ${revision} is older than ${inForce}, which is in force`;
    if (revision === inForce && sha256 !== digest)
      return `revision ${revision} is in force with another digest`;
    return undefined;
  }

  #ack(reason: string | undefined): ConfigAckJson {
    const { revision, sha256 } = this.#applied;
    const ack: ConfigAckJson = { applied: reason === undefined, revision, sha256 };
    return reason === undefined ? ack : { ...ack, reason };
  }
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
