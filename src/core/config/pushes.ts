import type { JsonObject } from "@bufbuild/protobuf";
import type { AgentHandle } from "../../fleet/handle.ts";
import { notApplied, type Verdict } from "../../fleet/convergence/facts.ts";
import { waitAtMost } from "../../link/backoff.ts";
import { type AgentKey, type ContextRecord, type NewConfig, StoreError } from "../../store/store.ts";
import { REDACTED } from "../../store/vault/vault.ts";
import { configDigest, monotonicNow } from "@valinor/protocol";
import { actorOf } from "../access/actor.ts";
import { ValinorError } from "../errors.ts";
import { checkFrame } from "../runs/frame-check.ts";
import { findJsonFault } from "./json-check.ts";
import type { Gate } from "../access/gate.ts";
import { translate } from "../guest-errors.ts";
import type { CoreOptions } from "../options.ts";
import { Restorer } from "./restorer.ts";
import type { Caller, Core, PushResult, ToolPolicyInput } from "../types.ts";

/** Largest configuration as JSON text, and largest context entry; both leave room for the frame around them. */
const CONFIG_BYTES = 1024 * 1024;
/** Largest text of a context entry. */
const CONTEXT_BYTES = 256 * 1024;
/** How often a configuration that keeps a secret is sealed anew where another one was stored meanwhile. */
const SEAL_TRIES = 3;

/** A verdict, or that there was none in time. */
type Answer<V extends Verdict> = V | (Verdict & { readonly timedOut: boolean });

/** A configuration to be stored, whoever does it. */
export type NextConfig = Omit<NewConfig, "actor">;

/**
 * Stores a configuration, pushes it and waits at most `configMs` for the guest's word. Where the guest had a revision that the store
 * did not know, the result names the one that it was given instead. Rejects with StoreError.
 */
export async function storeAndPush(
  options: Pick<CoreOptions, "store" | "configMs" | "errors">,
  agent: AgentHandle,
  next: NextConfig,
  caller: Caller,
  signal: AbortSignal,
): Promise<PushResult> {
  const stored = await options.store.putConfig(agent.record, { ...next, actor: actorOf(caller) });
  const answer = await answerOf(agent, agent.configStored(stored), options, signal);
  const revision = "revision" in answer ? answer.revision : stored.revision;
  return { revision, applied: answer.applied, reason: answer.reason };
}

/** The calls that change what an agent is to have. */
export function createPushes(
  options: CoreOptions,
  find: (caller: Caller, agentId: string) => AgentHandle | Promise<AgentHandle>,
  gate: Gate,
): Pick<Core, "pushConfig" | "pushContext"> {
  const { store, vault } = options;
  const restorer = new Restorer(store, options.errors);

  /** The configuration as it is stored. Throws VaultError. */
  function seal(key: AgentKey, config: JsonObject, policy: ToolPolicyInput, current: JsonObject): NextConfig {
    const sealed = vault.seal(key, config, current);
    const sha256 = configDigest(sealed, policy);
    return { config: sealed, policy, sha256, rollbackOf: 0, expectedRevision: 0 };
  }

  /** A secret is kept from the current configuration: that one must still be the current one when it is stored. */
  async function storeKeeping(
    agent: AgentHandle,
    input: Parameters<Core["pushConfig"]>[1],
    push: (next: NextConfig) => Promise<PushResult>,
  ): Promise<PushResult> {
    for (let tries = 1; ; tries++) {
      const current = await store.currentConfig(agent.record);
      const next = seal(agent.record, input.config, input.policy, current?.config ?? {});
      const expectedRevision = input.expectedRevision || (current?.revision ?? 0);
      try {
        return await push({ ...next, expectedRevision });
      } catch (error) {
        const overtaken = error instanceof StoreError && error.code === "revision_conflict";
        if (!overtaken || input.expectedRevision !== 0 || tries === SEAL_TRIES) throw error;
      }
    }
  }

  return {
    async pushConfig(caller, input, signal) {
      await gate.check(caller, "pushConfig", input.agentId);
      const agent = await find(caller, input.agentId);
      const { config, policy, expectedRevision } = input;
      const { mode, tools } = policy;
      checkSize("config", config, CONFIG_BYTES);
      checkFrame("config_update", { config, tool_allowlist: tools, tool_policy: { mode, tools } });
      checkJson("config", config);
      const push = (next: NextConfig) => storeAndPush(options, agent, next, caller, signal);
      try {
        if (JSON.stringify(config).includes(JSON.stringify(REDACTED)))
          return await storeKeeping(agent, input, push);
        return await push({ ...seal(agent.record, config, policy, {}), expectedRevision });
      } catch (error) {
        throw translate(error).with({ agent_id: input.agentId });
      }
    },

    async pushContext(caller, input, signal) {
      await gate.check(caller, "pushContext", input.agentId);
      const agent = await find(caller, input.agentId);
      checkSize("context", input.payload["context"], CONTEXT_BYTES);
      checkSize("context entry", input.payload, 2 * CONTEXT_BYTES);
      checkFrame("context_update", input.payload);
      try {
        const { key, payload } = input;
        const before = (await store.contexts(agent.record)).find((entry) => entry.key === key);
        const record = await store.putContext(agent.record, { key, payload }, actorOf(caller));
        const verdict = judged(agent, record, before);
        const answer = await answerOf(agent, verdict, options, signal);
        const { applied, refused, reason } = answer;
        return { applied, refused, reason, timedOut: "timedOut" in answer && answer.timedOut };
      } catch (error) {
        throw translate(error).with({ agent_id: input.agentId });
      }
    },
  };

  /** The guest's word on an entry. One that it refuses is not kept, however late it says so. */
  async function judged(
    agent: AgentHandle,
    record: ContextRecord,
    before: ContextRecord | undefined,
  ): Promise<Verdict> {
    const verdict = await agent.contextStored(record);
    if (verdict.applied) return verdict;
    const { refused } = verdict;
    const onRestored = () => agent.contextsChanged();
    await restorer.notKept({ key: agent.record, entry: record, before, refused, onRestored });
    return verdict;
  }
}

/**
 * Waits for the link and for the guest's word, `configMs` at most in all. Rejects only where the verdict does in that time; what comes
 * later is the business of whoever gave the promise; an error of then is counted.
 */
async function answerOf<V extends Verdict>(
  agent: AgentHandle,
  verdict: Promise<V>,
  { configMs: ms, errors }: Pick<CoreOptions, "configMs" | "errors">,
  signal: AbortSignal,
): Promise<Answer<V>> {
  const began = monotonicNow();
  let isOver = false;
  let got: { readonly value: V } | { readonly error: unknown } | undefined;
  const settled = verdict.then(
    (value) => void (got = { value }),
    (error: unknown) => {
      got = { error };
      if (isOver)
        errors.note("an agent's verdict came to nothing behind the call that asked for it", error, {
          agent: agent.id,
        });
    },
  );
  const answer = (otherwise: Answer<V>): Answer<V> => {
    isOver = true;
    if (got === undefined) return otherwise;
    if ("error" in got) throw got.error;
    return got.value;
  };
  try {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
    if (agent.link?.current === undefined) await agent.reach(deadline);
  } catch (error) {
    return answer({ ...notApplied(translate(error).message), timedOut: false });
  }
  await waitAtMost(settled, Math.max(1, ms - (monotonicNow() - began)), signal);
  const isAway = agent.link?.current === undefined;
  const reason = isAway
    ? `the agent is away: ${agent.link?.lastError ?? "it is not to run"}`
    : `the agent did not acknowledge within ${ms / 1000} s`;
  return answer({ ...notApplied(reason), timedOut: !isAway });
}

/** What would be stored as something else than was sent is refused. */
function checkJson(what: string, value: JsonObject): void {
  const fault = findJsonFault(value, "", { wholeNumbers: true });
  if (fault === undefined) return;
  throw new ValinorError("INVALID_ARGUMENT", `${what}: ${fault.pointer} ${fault.what}`);
}

function checkSize(what: string, value: JsonObject[string] | undefined, most: number): void {
  const bytes =
    typeof value === "string" ? Buffer.byteLength(value) : Buffer.byteLength(JSON.stringify(value ?? null));
  if (bytes <= most) return;
  throw new ValinorError("REQUEST_TOO_LARGE", `the ${what} has ${bytes} bytes; at most ${most} are taken`);
}
