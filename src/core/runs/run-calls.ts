import { randomUUID } from "node:crypto";
import { CancelAckSchema } from "@valinor/proto/valinor/link/v1/link";
import { LinkError, readPayload } from "@valinor/protocol";
import type { Exchange } from "../../link/exchange.ts";
import type { Gate } from "../access/gate.ts";
import { ValinorError } from "../errors.ts";
import { errorOfFrame, translate } from "../guest-errors.ts";
import { notBegun, readNoFurther } from "../lifecycle.ts";
import type { CoreOptions } from "../options.ts";
import type { FindAgent } from "../registry/find-agent.ts";
import type { CancelInput, SendInput, StreamInput } from "../inputs.ts";
import type { Caller, RunOpened, RunStream, SendResult } from "../types.ts";
import { linkName } from "./names.ts";
import type { RunRequest } from "./open-rules.ts";
import { type OpenedRun, openRun } from "./open-run.ts";
import { StoppableStream } from "./run-stream.ts";
import { createSeenRuns, type SeenRun, unseenRun } from "./seen-runs.ts";
import { clientGone, collect, tooSlow } from "./send.ts";
import { Stop } from "./stop.ts";
import { type HeldStream, StreamBudget } from "./stream-budget.ts";

/** A run to be opened for a call that was authorized. */
interface Opening {
  readonly caller: Caller;
  readonly input: StreamInput;
  readonly requestId: string;
  /** Drops the client; absent for a call that is not streamed. */
  readonly drop?: () => void;
  /** False if nobody but this call knows the run's request_id. */
  readonly isNamed: boolean;
}

/** The calls that begin, read and end runs. */
export class RunCalls {
  readonly #options: CoreOptions;
  readonly #gate: Gate;
  readonly #find: FindAgent;
  readonly #budget: StreamBudget;
  readonly #seenRuns = createSeenRuns();

  constructor(options: CoreOptions, gate: Gate, find: FindAgent) {
    this.#options = options;
    this.#gate = gate;
    this.#find = find;
    this.#budget = new StreamBudget(options.streamLimits, options.onShed);
  }

  /** Core.send. */
  async send(caller: Caller, input: SendInput, signal: AbortSignal): Promise<SendResult> {
    const counted = this.#gate.check(caller, "send", input.agentId);
    if (counted !== undefined) await counted;
    const isNamed = input.requestId !== "";
    const requestId = input.requestId || randomUUID();
    const onDisconnect = input.onDisconnect ?? onDisconnectOf(isNamed);
    const opening: Opening = {
      caller,
      input: { ...input, afterSequence: 0, onDisconnect },
      requestId,
      isNamed,
    };
    const { messageMs, lifecycle } = this.#options;
    const stop = new Stop(signal, lifecycle, messageMs);
    try {
      return await collect(await this.#open(opening, stop), stop);
    } catch (error) {
      const failure =
        stop.reason === "late" && !signal.aborted ? tooSlow(messageMs, error) : translate(error);
      throw failure.with({ agent_id: input.agentId, request_id: requestId });
    } finally {
      stop.release();
    }
  }

  /** Core.stream. */
  async stream(
    caller: Caller,
    input: StreamInput,
    signal: AbortSignal,
    drop: () => void = () => {},
  ): Promise<RunStream> {
    await this.#gate.check(caller, "stream", input.agentId);
    this.#budget.admit(caller);
    if (input.message === undefined && input.requestId === "") {
      throw new ValinorError(
        "INVALID_ARGUMENT",
        "a call without a message attaches to a run and needs its request_id",
      );
    }
    const requestId = input.requestId || randomUUID();
    const stop = new Stop(signal, this.#options.lifecycle);
    try {
      const stream = await this.#open({ caller, input, requestId, drop, isNamed: true }, stop);
      stream.endsWith(this.#options.lifecycle);
      return stream;
    } finally {
      stop.release();
    }
  }

  /** Core.cancel. */
  async cancel(caller: Caller, input: CancelInput, signal: AbortSignal): Promise<boolean> {
    await this.#gate.check(caller, "cancel", input.agentId);
    const agent = await this.#find(caller, input.agentId);
    try {
      const connection = await agent.reach(signal);
      if (!connection.guest.resumable) return false;
      const payload = { request_id: linkName(caller, input.requestId), reason: input.reason };
      const answer = await connection.request("cancel", payload, this.#options.configMs);
      if (answer.type === "error") throw errorOfFrame(answer);
      if (answer.type !== "cancel_ack")
        throw new LinkError("invalid_frame", `the agent answered cancel with ${answer.type}`);
      return readPayload(CancelAckSchema, answer.payload).found;
    } catch (error) {
      throw translate(error).with({ agent_id: input.agentId, request_id: input.requestId });
    }
  }

  async #open(opening: Opening, stop: Stop): Promise<StoppableStream> {
    const { caller, input, requestId } = opening;
    const { lifecycle, quota } = this.#options;
    const found = this.#find(caller, input.agentId);
    const agent = found instanceof Promise ? await found : found;
    // A tool may answer with nothing; a user can't.
    if (input.message?.content === "" && input.message.role !== "tool")
      throw new ValinorError("INVALID_ARGUMENT", "the message has no content");
    const attachOnly = input.message === undefined || input.afterSequence > 0;
    if (!attachOnly && lifecycle.reached("draining")) throw notBegun();
    const leave = quota.run(caller);
    try {
      // A run that nobody can name can't be asked for again.
      const seen = (runId: string) =>
        opening.isNamed ? this.#seenRuns.open(agent.record, runId) : unseenRun();
      const request = runRequest(opening, seen);
      return this.#serve(await openRun(agent, request, stop), opening, request.seen, leave);
    } catch (error) {
      leave();
      if (stop.reason === "left" || stop.reason === "late") throw clientGone(requestId);
      const failure = stop.reason === "ending" ? readNoFurther(input.afterSequence) : translate(error);
      throw failure.with({ agent_id: input.agentId, request_id: requestId });
    }
  }

  /** The stream of a run that is open. `leave` gives its place in the quota back when it ends. */
  #serve(run: OpenedRun, opening: Opening, seen: SeenRun, leave: () => void): StoppableStream {
    const { caller, input, requestId, drop } = opening;
    const { bootId, attached, guest, life } = run;
    const opened: RunOpened = { requestId, bootId, attached, resumable: guest.resumable, life };
    const release = drop && this.#budget.add(heldStream(caller, run.exchange, drop));
    const metadata = { agent_id: input.agentId, request_id: requestId };
    return new StoppableStream(run, opened, metadata, seen, (failure) => {
      leave();
      release?.();
      if (failure?.reason === "TOOL_BLOCKED")
        this.#options.audit.note(caller, "tool.blocked", input.agentId, { tool: toolName(failure) });
    });
  }
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

/** A guest names tools as it likes: text that does not look like a name stays out of the audit log. */
function toolName({ metadata }: ValinorError): string {
  const name = metadata["tool"] ?? "";
  return /^[\w.:/-]{1,128}$/.test(name) ? name : "(not a name)";
}

/** What becomes of a run whose client leaves, if the client said nothing: one that has a name can be read again. */
function onDisconnectOf(isNamed: boolean): "continue" | "cancel" {
  return isNamed ? "continue" : "cancel";
}

function runRequest({ caller, input, requestId }: Opening, seenOf: (runId: string) => SeenRun): RunRequest {
  const runId = linkName(caller, requestId);
  return {
    runId,
    conversationId: input.conversationId === "" ? "" : linkName(caller, input.conversationId),
    message: input.message,
    afterSequence: input.afterSequence,
    onDisconnect: input.onDisconnect ?? onDisconnectOf(input.requestId !== ""),
    allowStale: input.allowStaleConfig,
    life: input.life ?? "",
    seen: seenOf(runId),
  };
}
