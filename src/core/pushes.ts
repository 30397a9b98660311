import type { JsonObject } from "@bufbuild/protobuf";
import type { AgentHandle } from "../agents/handle.ts";
import { notApplied, type Verdict } from "../agents/push.ts";
import { waitAtMost } from "../link/backoff.ts";
import type { AgentKey, ContextRecord } from "../store/store.ts";
import { canonicalJson } from "../wire/digest.ts";
import type { CoreOptions } from "./options.ts";
import { ValinorError } from "./errors.ts";
import { checkFrame } from "./frame-check.ts";
import type { Gate } from "./gate.ts";
import { translate } from "./guest-errors.ts";
import type { Caller, Core } from "./types.ts";

/** Largest configuration as JSON text, and largest context entry; both leave room for the frame around them. */
const CONFIG_BYTES = 1024 * 1024;
/** Largest text of a context entry. */
const CONTEXT_BYTES = 256 * 1024;

/** A verdict, or that there was none in time. */
interface Answer extends Verdict {
  readonly timedOut: boolean;
}

/** The calls that change what an agent is to have. */
export function createPushes(
  options: CoreOptions,
  find: (caller: Caller, agentId: string) => AgentHandle,
  gate: Gate,
): Pick<Core, "pushConfig" | "pushContext"> {
  const { store, configMs } = options;

  /** Waits for the link and for the guest's word, `configMs` at most in all. */
  async function verdictOf(
    agent: AgentHandle,
    signal: AbortSignal,
    push: () => Promise<Verdict>,
  ): Promise<Answer> {
    const began = Date.now();
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(configMs)]);
    try {
      if (agent.link?.current === undefined) await agent.reach(deadline);
    } catch (error) {
      void push(); // it waits for the link in its queue, or is done on connect
      return { ...notApplied(translate(error).message), timedOut: false };
    }
    let verdict: Answer = {
      ...notApplied(`the agent did not acknowledge within ${configMs / 1000} s`),
      timedOut: true,
    };
    const pushed = (async () => {
      verdict = { ...(await push()), timedOut: false };
    })();
    await waitAtMost(pushed, Math.max(1, configMs - (Date.now() - began)), signal);
    return verdict;
  }

  /** A refused entry is not kept: the agent goes on with the one before. One that came after it stays. */
  async function restore(
    key: AgentKey,
    refused: ContextRecord,
    before: ContextRecord | undefined,
  ): Promise<void> {
    const now = (await store.contexts(key)).find((entry) => entry.key === refused.key);
    if (now === undefined || canonicalJson(now.payload) !== canonicalJson(refused.payload)) return;
    await store.putContext(key, { key: refused.key, payload: before?.payload ?? { context: "" } });
  }

  return {
    async pushConfig(caller, input, signal) {
      await gate.check(caller, "pushConfig", input.agentId);
      const agent = find(caller, input.agentId);
      const { config, policy, expectedRevision } = input;
      checkSize("config", config, CONFIG_BYTES);
      const { mode, tools } = policy;
      checkFrame("config_update", { config, tool_allowlist: tools, tool_policy: { mode, tools } });
      try {
        const author = caller.subject;
        const stored = await store.putConfig(agent.record, { config, policy, author, expectedRevision });
        const { applied, reason } = await verdictOf(agent, signal, () => agent.configStored(stored));
        return { revision: stored.revision, applied, reason };
      } catch (error) {
        throw translate(error).with({ agent_id: input.agentId });
      }
    },

    async pushContext(caller, input, signal) {
      await gate.check(caller, "pushContext", input.agentId);
      const agent = find(caller, input.agentId);
      checkSize("context", input.payload["context"], CONTEXT_BYTES);
      checkSize("context entry", input.payload, 2 * CONTEXT_BYTES);
      checkFrame("context_update", input.payload);
      try {
        const { key, payload } = input;
        const before = (await store.contexts(agent.record)).find((entry) => entry.key === key);
        await store.putContext(agent.record, { key, payload });
        const record: ContextRecord = { key, payload, updateTime: new Date() };
        const verdict = await verdictOf(agent, signal, () => agent.contextStored(record));
        if (verdict.refused) await restore(agent.record, record, before);
        return verdict;
      } catch (error) {
        throw translate(error).with({ agent_id: input.agentId });
      }
    },
  };
}

function checkSize(what: string, value: JsonObject[string] | undefined, most: number): void {
  const bytes =
    typeof value === "string" ? Buffer.byteLength(value) : Buffer.byteLength(JSON.stringify(value ?? null));
  if (bytes <= most) return;
  throw new ValinorError("REQUEST_TOO_LARGE", `the ${what} has ${bytes} bytes; at most ${most} are taken`);
}
