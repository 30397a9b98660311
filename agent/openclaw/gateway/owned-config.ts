import { isObject, type PolicyForDigest, type UnknownObject } from "@valinor/protocol";
import { CLIENT_PREFIX } from "../../settings/tool-policy.ts";

/** What a configuration wants of OpenClaw itself; all else goes with each request. */
export interface ModelAndTools {
  /** Undefined: the one that OpenClaw has by itself. */
  readonly model: string | undefined;
  readonly policy: PolicyForDigest;
}

/** What of OpenClaw's own configuration belongs to the agent. Lists are sorted; undefined: not set. */
export interface Owned {
  readonly primary: string | undefined;
  readonly allow: readonly string[] | undefined;
  readonly deny: readonly string[] | undefined;
}

/**
 * What OpenClaw's configuration is to hold, given what it holds now. `own` is the model that OpenClaw had before the agent set one: null if it
 * had none, undefined if the agent set none. OpenClaw takes a list without names for no limit, so that all tools have to be denied then.
 */
export function targetOf(
  { model, policy }: ModelAndTools,
  now: Owned,
  own: string | null | undefined,
): Owned {
  const primary = model ?? (own === undefined ? now.primary : (own ?? undefined));
  if (policy.mode === "all") return { primary, allow: undefined, deny: undefined };
  const tools = ownTools(policy);
  if (tools.length === 0) return { primary, allow: undefined, deny: ["*"] };
  return { primary, allow: [...new Set(tools)].toSorted(), deny: undefined };
}

/** The tools of a list that are OpenClaw's: it knows nothing of those of clients, and never asks for leave to offer them. */
export function ownTools(policy: PolicyForDigest): readonly string[] {
  return policy.tools.filter((tool) => !tool.startsWith(CLIENT_PREFIX));
}

/** The patch that makes OpenClaw's configuration hold `target`; null takes a key away. */
export function patchOf(now: Owned, target: Owned): UnknownObject {
  const tools = { allow: target.allow ?? null, deny: target.deny ?? null };
  return {
    ...((!same(now.allow, target.allow) || !same(now.deny, target.deny)) && { tools }),
    ...(now.primary !== target.primary && {
      agents: { defaults: { model: { primary: target.primary ?? null } } },
    }),
  };
}

/** Reads OpenClaw's answer to `config.get`. */
export function readOwned(snapshot: UnknownObject): Owned {
  const config = objectOf(snapshot["config"]);
  const tools = objectOf(config["tools"]);
  const model = objectOf(objectOf(config["agents"])["defaults"])["model"];
  const primary = isObject(model) ? model["primary"] : model;
  return {
    primary: typeof primary === "string" ? primary : undefined,
    allow: namesOf(tools["allow"]),
    deny: namesOf(tools["deny"]),
  };
}

function namesOf(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.map(String).toSorted() : undefined;
}

/** True if nothing needs to be written. */
export function sameOwned(a: Owned, b: Owned): boolean {
  return a.primary === b.primary && same(a.allow, b.allow) && same(a.deny, b.deny);
}

function same(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function objectOf(value: unknown): UnknownObject {
  return isObject(value) ? value : {};
}
