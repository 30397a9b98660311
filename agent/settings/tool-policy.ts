import {
  isObject,
  Failure,
  NO_TOOLS_ALLOWLIST,
  type PolicyForDigest,
  type UnknownObject,
} from "@valinor/protocol";

// Which tools are allowed: those that the policy of the configuration in force lists. A run keeps the policy it began with.

/** Stands before the name of a client's tool in a tool policy; OpenClaw's own tools have no such names. */
export const CLIENT_PREFIX = "client:";

/** Before its first configuration the agent allows no tool. */
export const NO_TOOLS: PolicyForDigest = { mode: "listed", tools: [] };

/**
 * Makes the check of what a run's model may call: what the policy lists by its name, and of the client's own tools (`offered`) also
 * what it lists as `client:NAME`. A tool of the client and one of OpenClaw may have the same name: the longer form allows the first alone.
 */
export function toolCheck(policy: PolicyForDigest, offered: readonly string[]): (tool: string) => boolean {
  if (policy.mode === "all") return () => true;
  const listed = new Set(policy.tools);
  const own = new Set(offered);
  return (tool) => listed.has(tool) || (own.has(tool) && listed.has(CLIENT_PREFIX + tool));
}

/** Reads the policy of a `config_update`: its `tool_policy`, or else the allow-list of protocol 1. Throws Failure `invalid_config`. */
export function readPolicy(payload: UnknownObject): PolicyForDigest {
  const policy = payload["tool_policy"] ?? undefined;
  if (policy === undefined) return readAllowList(payload["tool_allowlist"]);
  if (!isObject(policy)) throw new Failure("invalid_config", "tool_policy is not an object");
  const { mode } = policy;
  if (mode !== "all" && mode !== "listed") {
    throw new Failure("invalid_config", "tool_policy.mode is neither all nor listed");
  }
  return { mode, tools: readNames(policy["tools"], "tool_policy.tools") };
}

/** An empty list allows all tools, and one name that no tool has allows none. */
function readAllowList(value: unknown): PolicyForDigest {
  const list = readNames(value, "tool_allowlist");
  if (list.length === 0) return { mode: "all", tools: [] };
  const none = list.length === 1 && list[0] === NO_TOOLS_ALLOWLIST[0];
  return { mode: "listed", tools: none ? [] : list };
}

function readNames(value: unknown, name: string): string[] {
  const tools = value ?? [];
  if (!Array.isArray(tools) || !tools.every((tool) => typeof tool === "string")) {
    throw new Failure("invalid_config", `${name} is not a list of names`);
  }
  return tools;
}
