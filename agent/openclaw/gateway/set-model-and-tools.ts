import { setTimeout as sleep } from "node:timers/promises";
import { type UnknownObject, isObject } from "@valinor/protocol";
import { describeError } from "../describe.ts";
import { GatewayError } from "./gateway-link.ts";
import type { Gateway } from "./gateway.ts";
import {
  type ModelAndTools,
  type Owned,
  ownTools,
  patchOf,
  readOwned,
  sameOwned,
  targetOf,
} from "./owned-config.ts";
import type { OwnModel } from "./own-model.ts";

/** How often a write is tried if it loses against somebody else's. */
const ATTEMPTS = 5;
/** A write that was answered is usually in force; else it is looked for again after this. */
const LOOK_MS = 200;

/**
 * Makes a running OpenClaw obey: checks the names against what it has, writes what differs, and resolves when that is in
 * force, with a sentence if it is refused. Rejects with GatewayError if that could not be found out; a retryable
 * one is worth another attempt. The signal ends waiting.
 */
export async function setModelAndTools(
  wanted: ModelAndTools,
  gateway: Gateway,
  ownModel: OwnModel,
  signal: AbortSignal,
): Promise<string | undefined> {
  const unknown = (await unknownModel(wanted, gateway)) ?? (await unknownTools(wanted, gateway));
  if (unknown !== undefined) return unknown;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    signal.throwIfAborted();
    let seen = await gateway.call("config.get");
    const own = await ownModel.get();
    const target = targetOf(wanted, readOwned(seen), own);
    if (!sameOwned(readOwned(seen), target)) {
      if (wanted.model !== undefined && own === undefined)
        await ownModel.set(readOwned(seen).primary ?? null);
      const outcome = await write(seen, target, gateway);
      if (outcome === "conflict") continue;
      if (outcome !== "written") return outcome;
      seen = await gateway.call("config.get");
    }
    const refused = await waitUntilInForce(seen, target, gateway, signal);
    if (refused === undefined && wanted.model === undefined && own !== undefined)
      await ownModel.set(undefined);
    return refused;
  }
  throw new GatewayError("busy", "somebody else keeps writing OpenClaw's configuration", true);
}

async function unknownModel({ model }: ModelAndTools, gateway: Gateway): Promise<string | undefined> {
  if (model === undefined) return undefined;
  const models = listOf((await gateway.call("models.list"))["models"]);
  const known = models.some(({ provider, id }) => `${String(provider)}/${String(id)}` === model);
  return known ? undefined : `OpenClaw has no model ${model}`;
}

async function unknownTools({ policy }: ModelAndTools, gateway: Gateway): Promise<string | undefined> {
  if (policy.mode === "all" || ownTools(policy).length === 0) return undefined;
  const groups = listOf((await gateway.call("tools.catalog"))["groups"]);
  const known = new Set(groups.flatMap(({ tools }) => listOf(tools).map(({ id }) => id)));
  const unknown = ownTools(policy).filter((tool) => !known.has(tool));
  return unknown.length === 0 ? undefined : `OpenClaw has no tool ${unknown.join(", ")}`.slice(0, 500);
}

/** Writes what differs. A string other than the two words says why OpenClaw refuses it. */
async function write(before: UnknownObject, target: Owned, gateway: Gateway): Promise<string> {
  const params = {
    raw: JSON.stringify(patchOf(readOwned(before), target)),
    baseHash: before["hash"],
    replacePaths: ["tools.allow", "tools.deny"],
  };
  try {
    await gateway.call("config.patch", params);
    return "written";
  } catch (error) {
    if (!(error instanceof GatewayError) || error.retryable) throw error;
    // A write on top of another revision fails like a wrong one: only the revision tells them apart.
    const after = await gateway.call("config.get");
    return after["hash"] === before["hash"]
      ? `OpenClaw refuses it: ${describeError(error.message)}`
      : "conflict";
  }
}

/** Looks until the running gateway has what is in the file. */
async function waitUntilInForce(
  snapshot: UnknownObject,
  target: Owned,
  gateway: Gateway,
  signal: AbortSignal,
): Promise<string | undefined> {
  for (let seen = snapshot; ; seen = await gateway.call("config.get")) {
    if (!sameOwned(readOwned(seen), target)) {
      throw new GatewayError("busy", "OpenClaw's configuration was changed meanwhile", true);
    }
    if (seen["valid"] === false) return "OpenClaw's own configuration is not valid";
    const { configRevisionHash, appliedConfigHash } = seen;
    if (appliedConfigHash === undefined || appliedConfigHash === configRevisionHash) return undefined;
    await sleep(LOOK_MS, undefined, { signal });
  }
}

function listOf(value: unknown): UnknownObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
