import type { JsonObject } from "@bufbuild/protobuf";
import type { AgentHandle } from "../../fleet/handle.ts";
import { notApplied, type Verdict } from "../../fleet/convergence/facts.ts";
import { waitAtMost } from "../../waits/waits.ts";
import { type AgentKey, type ContextRecord, type NewConfig, StoreError } from "../../store/store.ts";
import { REDACTED } from "../../store/vault/vault.ts";
import { configDigest, limits, monotonicNow } from "@valinor/protocol";
import { actorOf } from "../access/authorize.ts";
import { ValinorError } from "../errors.ts";
import { checkFrame } from "../runs/frame-check.ts";
import { findJsonFault } from "./json-check.ts";
import type { Gate } from "../access/gate.ts";
import { translate } from "../guest-errors.ts";
import type { CoreOptions } from "../options.ts";
import { Restorer } from "./restorer.ts";
import type { PushConfigInput, PushContextInput, ToolPolicyInput } from "../inputs.ts";
import type { FindAgent } from "../registry/find-agent.ts";
import type { Caller, ContextResult, PushResult } from "../types.ts";

/** How often a configuration that keeps a secret is sealed again if another one was stored meanwhile. */
const MAX_SEALINGS = 3;

/** A verdict, or that there was none in time. */
type Answer<V extends Verdict> = V | (Verdict & { readonly timedOut: boolean });

/** A configuration to be stored, whoever does it. */
export type NextConfig = Omit<NewConfig, "actor">;

/**
 * Stores a configuration, pushes it and waits at most `configMs` for the guest's word. If the guest had a revision that the store did
 * not know, the result names the revision that the configuration was given instead. Rejects with StoreError.
 */
export async function storeAndPush(
  options: AnswerOptions & Pick<CoreOptions, "store">,
  agent: AgentHandle,
  next: NextConfig,
  caller: Caller,
  signal: AbortSignal,
): Promise<PushResult> {
  const stored = await options.store.putConfig(agent.record, { ...next, actor: actorOf(caller) });
  const answer = await answerOf(options, agent, agent.configStored(stored), signal);
  const revision = "revision" in answer ? answer.revision : stored.revision;
  return { revision, applied: answer.applied, reason: answer.reason };
}

/** The calls that change what an agent is to have. */
export class PushCalls {
  readonly #options: AnswerOptions & Pick<CoreOptions, "store" | "vault">;
  readonly #gate: Gate;
  readonly #find: FindAgent;
  readonly #restorer: Restorer;

  constructor(options: AnswerOptions & Pick<CoreOptions, "store" | "vault">, gate: Gate, find: FindAgent) {
    this.#options = options;
    this.#gate = gate;
    this.#find = find;
    this.#restorer = new Restorer(options.store, options.onUnheardError);
  }

  /** Core.pushConfig. */
  async pushConfig(caller: Caller, input: PushConfigInput, signal: AbortSignal): Promise<PushResult> {
    await this.#gate.check(caller, "pushConfig", input.agentId);
    const agent = await this.#find(caller, input.agentId);
    const { config, policy, expectedRevision } = input;
    const { mode, tools } = policy;
    checkSize("config", config, limits.configBytes);
    checkFrame("config_update", { config, tool_allowlist: tools, tool_policy: { mode, tools } });
    checkJson("config", config);
    const push = (next: NextConfig) => storeAndPush(this.#options, agent, next, caller, signal);
    try {
      if (JSON.stringify(config).includes(JSON.stringify(REDACTED)))
        return await this.#storeKeeping(agent, input, push);
      return await push({ ...this.#seal(agent.record, config, policy, {}), expectedRevision });
    } catch (error) {
      throw translate(error).with({ agent_id: input.agentId });
    }
  }

  /** Core.pushContext. */
  async pushContext(caller: Caller, input: PushContextInput, signal: AbortSignal): Promise<ContextResult> {
    await this.#gate.check(caller, "pushContext", input.agentId);
    const agent = await this.#find(caller, input.agentId);
    const { key, payload } = input;
    checkSize("context", payload["context"], limits.contextEntryBytes);
    checkSize("context entry", payload, 2 * limits.contextEntryBytes);
    checkFrame("context_update", payload);
    const { store } = this.#options;
    try {
      const before = (await store.contexts(agent.record)).find((entry) => entry.key === key);
      const record = await store.putContext(agent.record, { key, payload }, actorOf(caller));
      const answer = await answerOf(this.#options, agent, this.#judged(agent, record, before), signal);
      const { applied, refused, reason } = answer;
      return { applied, refused, reason, timedOut: "timedOut" in answer && answer.timedOut };
    } catch (error) {
      throw translate(error).with({ agent_id: input.agentId });
    }
  }

  /** The configuration as it is stored. Throws VaultError. */
  #seal(key: AgentKey, config: JsonObject, policy: ToolPolicyInput, current: JsonObject): NextConfig {
    const sealed = this.#options.vault.seal(key, config, current);
    const sha256 = configDigest(sealed, policy);
    return { config: sealed, policy, sha256, rollbackOf: 0, expectedRevision: 0 };
  }

  /** Stores a configuration that keeps a secret of the current one, which must still be current then. */
  async #storeKeeping(
    agent: AgentHandle,
    input: PushConfigInput,
    push: (next: NextConfig) => Promise<PushResult>,
  ): Promise<PushResult> {
    for (let tries = 1; ; tries++) {
      const current = await this.#options.store.currentConfig(agent.record);
      const next = this.#seal(agent.record, input.config, input.policy, current?.config ?? {});
      const expectedRevision = input.expectedRevision || (current?.revision ?? 0);
      try {
        return await push({ ...next, expectedRevision });
      } catch (error) {
        const overtaken = error instanceof StoreError && error.code === "revision_conflict";
        if (!overtaken || input.expectedRevision !== 0 || tries === MAX_SEALINGS) throw error;
      }
    }
  }

  /** The guest's word on an entry. An entry that it refuses is not kept, however late it says so. */
  async #judged(
    agent: AgentHandle,
    record: ContextRecord,
    before: ContextRecord | undefined,
  ): Promise<Verdict> {
    const verdict = await agent.contextStored(record);
    if (verdict.applied) return verdict;
    const { refused } = verdict;
    const onRestored = () => agent.contextsChanged();
    await this.#restorer.notKept({ key: agent.record, entry: record, before, refused, onRestored });
    return verdict;
  }
}

type AnswerOptions = Pick<CoreOptions, "configMs" | "onUnheardError">;

/**
 * Waits for the link and for the guest's word, `configMs` at most in all. Rejects only if the verdict does so in that time; an unexpected
 * error that comes later is reported.
 */
async function answerOf<V extends Verdict>(
  { configMs: ms, onUnheardError }: AnswerOptions,
  agent: AgentHandle,
  verdict: Promise<V>,
  signal: AbortSignal,
): Promise<Answer<V>> {
  const began = monotonicNow();
  let got: { readonly value: V } | { readonly error: unknown } | undefined;
  let isAnswered = false;
  const settled = verdict.then(
    (value) => void (got = { value }),
    (error: unknown) => {
      got = { error };
      if (isAnswered && translate(error).reason === "INTERNAL")
        onUnheardError(error, "a push failed after its caller was answered");
    },
  );
  const answer = (otherwise: Answer<V>): Answer<V> => {
    isAnswered = true;
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

/** Refuses what would be stored as something else than was sent. */
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
