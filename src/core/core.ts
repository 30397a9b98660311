import { randomUUID } from "node:crypto";
import { CancelAckSchema } from "@valinor/proto/valinor/link/v1/link";
import type { AgentHandle } from "../fleet/handle.ts";
import type { AgentKey } from "../store/store.ts";
import type { Exchange } from "../link/exchange.ts";
import { LinkError, readPayload } from "@valinor/protocol";
import { ValinorError } from "./errors.ts";
import { createGate } from "./access/gate.ts";
import { errorOfFrame, translate } from "./guest-errors.ts";
import { notBegun } from "./lifecycle.ts";
import { linkName } from "./runs/names.ts";
import { openRun, type RunRequest } from "./runs/open-run.ts";
import type { CoreOptions } from "./options.ts";
import { createPushes, storeAndPush } from "./config/pushes.ts";
import { createRegistry } from "./registry/registry.ts";
import { createRevisionList, createRollback } from "./config/revisions.ts";
import { createRunStream, untilEnding } from "./runs/run-stream.ts";
import { createSeenRuns, type SeenRun, unseenRun } from "./runs/seen-runs.ts";
import { clientGone, collect, withDeadline } from "./runs/send.ts";
import { statusOf } from "./registry/status.ts";
import { createStreamBudget, type HeldStream } from "./runs/stream-budget.ts";
import type { Caller, Core, RunOpened, RunStream, StreamInput } from "./types.ts";
import { createWatches } from "./watch/watch.ts";

/** Makes the calls that every API shares. */
export function createCore(options: CoreOptions): Core {
  const { fleet, quota, audit, lifecycle } = options;
  const gate = createGate(options);
  const budget = createStreamBudget(options.streamLimits, options.onShed);
  const seenRuns = createSeenRuns();

  /**
   * The caller's agent; AGENT_NOT_FOUND for one of another tenant as well. One that another process has just created is looked up in
   * the store.
   */
  function find(caller: Caller, agentId: string): AgentHandle | Promise<AgentHandle> {
    const key = { tenant: caller.tenant, id: agentId };
    return fleet.find(key) ?? seek(key);
  }

  async function seek(key: AgentKey): Promise<AgentHandle> {
    const metadata = { agent_id: key.id };
    const record = await options.store.getAgent(key).catch((error: unknown) => {
      throw translate(error).with(metadata);
    });
    // Meanwhile somebody else may have brought a newer one.
    if (record !== undefined) return fleet.find(key) ?? fleet.update(record);
    throw new ValinorError("AGENT_NOT_FOUND", `there is no agent ${key.id}`, { metadata });
  }

  /**
   * Opens a run for a call that was authorized. `drop`: drops the client of one that is streamed. `isNamed` is false where nobody but
   * this call knows its request_id.
   */
  async function open(
    caller: Caller,
    input: StreamInput,
    signal: AbortSignal,
    drop?: () => void,
    isNamed = true,
  ): Promise<RunStream> {
    const agent = await find(caller, input.agentId);
    // A tool may answer with nothing; a user can't.
    if (input.message?.content === "" && input.message.role !== "tool")
      throw new ValinorError("INVALID_ARGUMENT", "the message has no content");
    const attachOnly = input.message === undefined || input.afterSequence > 0;
    if (!attachOnly && lifecycle.reached("draining")) throw notBegun();
    const requestId = input.requestId || randomUUID();
    const metadata = { agent_id: input.agentId, request_id: requestId };
    // A unary call without a name of its own can't be made again.
    const seenOf = (runId: string) => (isNamed ? seenRuns.open(agent.record, runId) : unseenRun());
    const leave = quota.run(caller);
    try {
      const request = runRequest(caller, input, requestId, seenOf);
      const opening = openRun(agent, request, signal);
      const run = await untilEnding(lifecycle, opening, input.afterSequence);
      const { bootId, attached, protocol, life } = run;
      const opened: RunOpened = { requestId, bootId, attached, resumable: protocol === 2, life };
      const release = drop && budget.add(heldStream(caller, run.exchange, drop));
      let forget = () => {};
      const stream = createRunStream(run, opened, metadata, request.seen, (failure) => {
        leave();
        forget();
        release?.();
        if (failure?.reason === "TOOL_BLOCKED")
          audit.note(caller, "tool.blocked", input.agentId, { tool: toolName(failure) });
      });
      forget = lifecycle.on("ending", () => stream.stop());
      return stream;
    } catch (error) {
      leave();
      throw signal.aborted ? clientGone(requestId) : translate(error).with(metadata);
    }
  }

  return {
    admit: (caller, door, agentId) => gate.admit(caller, door, agentId),

    async send(caller, input, signal) {
      await gate.check(caller, "send", input.agentId);
      const onDisconnect = input.onDisconnect ?? (input.requestId === "" ? "cancel" : "continue");
      const requestId = input.requestId || randomUUID();
      const streamInput: StreamInput = { ...input, requestId, afterSequence: 0, onDisconnect };
      try {
        return await withDeadline(options.messageMs, signal, async (stop) =>
          collect(await open(caller, streamInput, stop, undefined, input.requestId !== ""), stop),
        );
      } catch (error) {
        throw translate(error).with({ agent_id: input.agentId, request_id: requestId });
      }
    },

    async stream(caller, input, signal, drop = () => {}) {
      await gate.check(caller, "stream", input.agentId);
      budget.admit(caller);
      if (input.message === undefined && input.requestId === "") {
        throw new ValinorError(
          "INVALID_ARGUMENT",
          "a call without a message attaches to a run and needs its request_id",
        );
      }
      return open(caller, input, signal, drop);
    },

    async cancel(caller, input, signal) {
      await gate.check(caller, "cancel", input.agentId);
      const agent = await find(caller, input.agentId);
      const metadata = { agent_id: input.agentId, request_id: input.requestId };
      try {
        const connection = await agent.reach(signal);
        if (connection.protocol === 1) return false;
        const payload = { request_id: linkName(caller, input.requestId), reason: input.reason };
        const answer = await connection.request("cancel", payload, options.configMs);
        if (answer.type === "error") throw errorOfFrame(answer);
        if (answer.type !== "cancel_ack")
          throw new LinkError("invalid_frame", `the agent answered cancel with ${answer.type}`);
        return readPayload(CancelAckSchema, answer.payload).found;
      } catch (error) {
        throw translate(error).with(metadata);
      }
    },

    async status(caller, agentId) {
      await gate.check(caller, "status", agentId);
      return statusOf(await find(caller, agentId));
    },

    ...createPushes(options, find, gate),
    ...createRegistry(options, gate),
    ...createRevisionList(options, gate),
    ...createRollback(options, gate, find, (agent, next, caller, signal) =>
      storeAndPush(options, agent, next, caller, signal),
    ),
    ...createWatches(options, gate),
  };
}

function heldStream(caller: Caller, exchange: Exchange, drop: () => void): HeldStream {
  return {
    caller,
    held: () => exchange.held,
    takes: () => exchange.takes,
    shed() {
      exchange.detach(new LinkError("closed", "the client did not read, and its memory was needed"));
      drop();
    },
  };
}

/** A guest names tools as it likes: what does not look like a name is a text, and none of the audit log's. */
function toolName({ metadata }: ValinorError): string {
  const name = metadata["tool"] ?? "";
  return /^[\w.:/-]{1,128}$/.test(name) ? name : "(not a name)";
}

function runRequest(
  caller: Caller,
  input: StreamInput,
  requestId: string,
  seenOf: (runId: string) => SeenRun,
): RunRequest {
  const runId = linkName(caller, requestId);
  return {
    runId,
    conversationId: input.conversationId === "" ? "" : linkName(caller, input.conversationId),
    message: input.message,
    afterSequence: input.afterSequence,
    onDisconnect: input.onDisconnect ?? (input.requestId === "" ? "cancel" : "continue"),
    allowStale: input.allowStaleConfig,
    life: input.life ?? "",
    seen: seenOf(runId),
  };
}
