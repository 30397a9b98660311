import { type Frame, guests, LinkError } from "@valinor/protocol";
import { AgentError } from "../../../src/fleet/errors.ts";
import { ValinorError } from "../../../src/core/errors.ts";
import { translate } from "../../../src/core/guest-errors.ts";
import { HandOver } from "../../../src/core/runs/hand-over-again.ts";
import {
  fullPayload,
  isAttachOnly,
  lifeOf,
  readOpened,
  type OpenedAnswer,
  type RunRequest,
} from "../../../src/core/runs/open-rules.ts";
import { NumberedReader } from "../../../src/core/runs/run-events.ts";
import type { RunEvent } from "../../../src/core/types.ts";
import type { Tasked } from "../engine/task.ts";
import { ApiError } from "./api-error.ts";
import type { Call, Reply } from "./call.ts";
import type { HostConnection, OpenExchange } from "./connection.ts";
import type { HostAgent } from "./host-agent.ts";

/** A run that was opened, and the exchange that reads it. */
interface Opened extends OpenedAnswer, OpenExchange {
  readonly connection: HostConnection;
  readonly rest: readonly Frame[];
}

/** The client of a call has left. */
export class ClientLeft extends Error {}

/** Where a call's exchange is, so that it can be left from outside. */
export interface Leaving {
  leave: () => void;
}

/**
 * Gives a message to a guest and waits until it is taken: what src/core/runs/open-run.ts does with promises, by the same rules
 * (open-rules.ts, hand-over-again.ts). Throws LinkError, AgentError or ValinorError.
 */
export function* openRun(
  agent: HostAgent,
  request: RunRequest,
  call: Call,
  leaving: Leaving,
): Tasked<Opened> {
  const handOver = new HandOver();
  for (;;) {
    const connection = yield* connect(agent, request, handOver);
    if (call.isAborted) throw new ClientLeft();
    const { bootId } = connection;
    const handed = { guest: guests[2], bootId };
    handOver.begin(handed);
    try {
      return yield* openOn(connection, agent.stored.config.revision, request, leaving);
    } catch (error) {
      handOver.failed(error, handed, !call.isAborted);
    }
  }
}

function* connect(agent: HostAgent, request: RunRequest, handOver: HandOver): Tasked<HostConnection> {
  try {
    return isAttachOnly(request) ? yield* agent.reach() : yield* agent.admit();
  } catch (error) {
    throw handOver.notReached(error);
  }
}

function* openOn(
  connection: HostConnection,
  revision: number,
  request: RunRequest,
  leaving: Leaving,
): Tasked<Opened> {
  const hasLives = connection.link.heartbeat?.lives === true;
  if (lifeOf(request) !== "" && !hasLives)
    throw new ValinorError("RUN_LOST", "the agent was exchanged for one that knows no such run");
  const opened = yield* connection.open("message", fullPayload(request, revision, true), "message");
  leaving.leave = () => connection.detach(opened.exchange, new LinkError("closed", "the client left"));
  try {
    let frames: readonly Frame[] | undefined = [];
    while (frames?.length === 0) frames = yield* connection.take(opened);
    const [first, ...rest] = frames ?? [];
    return { ...opened, ...readOpened(first, hasLives, request), connection, rest };
  } catch (error) {
    connection.detach(opened.exchange, LinkError.from(error, "closed"));
    throw error;
  }
}

/**
 * Reads an opened run to its end, and gives each event to `give`, which may wait: what src/core/runs/run-stream.ts does with promises.
 * Throws the ApiError that ended it.
 */
export function* readRun(
  opened: Opened,
  request: RunRequest,
  give: (replies: readonly Reply[]) => Tasked<void>,
): Tasked<void> {
  const { connection, exchange } = opened;
  const reader = new NumberedReader(opened.nextSequence, request.seen);
  let pending: readonly Frame[] = opened.rest;
  for (;;) {
    const events: RunEvent[] = [];
    let failure: unknown;
    try {
      const frames = pending.length > 0 ? pending : yield* connection.take(opened);
      pending = [];
      if (frames === undefined) throw new LinkError("interrupted", "the exchange ended without a last event");
      for (const frame of frames) reader.read(frame, events);
      if (frames.length === 0) events.push({ kind: "keepalive" });
    } catch (error) {
      if (error instanceof ClientLeft) throw error;
      if (error instanceof LinkError) connection.detach(exchange, error);
      failure = error;
    }
    // What came before an error is delivered before it.
    if (events.length > 0) yield* give(events.map(replyOf));
    if (failure !== undefined) throw toApiError(failure);
    if (events.at(-1)?.kind === "done") return;
  }
}

/** What a client sees of an error. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const { reason, metadata, retryMs, message } = translate(error);
  if (reason === "INTERNAL" && !(error instanceof ValinorError) && !(error instanceof AgentError))
    throw error;
  return new ApiError(reason, metadata, retryMs ?? 0, message);
}

function replyOf(event: RunEvent): Reply {
  switch (event.kind) {
    case "text":
      return { kind: "text", sequence: event.sequence, event: event.text.split(";")[0] ?? "" };
    case "tool_call":
      return { kind: "tool_call", sequence: event.sequence, event: event.arguments.split(";")[0] ?? "" };
    case "done":
      return { kind: "done", sequence: event.sequence, event: `done ${event.finishReason}` };
    case "keepalive":
      return { kind: "keepalive" };
  }
}
