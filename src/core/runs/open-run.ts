import type { AgentHandle } from "../../fleet/handle.ts";
import type { Connection } from "../../link/connection.ts";
import type { Exchange } from "../../link/exchange.ts";
import { type Frame, type Guest, LinkError } from "@valinor/protocol";
import { ValinorError } from "../errors.ts";
import { checkFrame } from "./frame-check.ts";
import { HandOver } from "./hand-over-again.ts";
import { givenKeys, hasToolsOrHistory, isShapedByClient } from "./message-keys.ts";
import {
  fullPayload,
  isAttachOnly,
  lifeOf,
  type OpenedAnswer,
  readOpened,
  type RunRequest,
} from "./open-rules.ts";
import type { Stop, StopReason } from "./stop.ts";

/** An exchange whose guest has taken the message. */
export interface OpenedRun extends OpenedAnswer {
  readonly exchange: Exchange;
  readonly guest: Guest;
  /** Frames that came with the first. */
  readonly rest: readonly Frame[];
}

/**
 * Gives a message to a guest and waits until it is taken. A link that is lost meanwhile is not the caller's concern if
 * handing the message over again can't run it twice (HandOver). Rejects with LinkError, AgentError or ValinorError; the call's early end detaches.
 */
export async function openRun(agent: AgentHandle, request: RunRequest, stop: Stop): Promise<OpenedRun> {
  const handOver = new HandOver();
  for (;;) {
    const connection = connectNow(agent, request) ?? (await connect(agent, request, stop, handOver));
    handOver.begin(connection);
    try {
      const opening = openOn(connection, agent.record.configRevision, request, stop);
      const exchange = opening instanceof Promise ? await opening : opening;
      if (!connection.guest.resumable) return unnumbered(exchange, connection.guest);
      return await takeOpened(exchange, connection, request, stop);
    } catch (error) {
      handOver.failed(error, connection, stop.reason === undefined);
    }
  }
}

/** The connection of nearly every call: it is up, and may be given the request. */
function connectNow(agent: AgentHandle, request: RunRequest): Connection | undefined {
  return agent.ready(request.allowStale || isAttachOnly(request));
}

/** Reading a run that exists needs no configuration in force; running one does. */
async function connect(
  agent: AgentHandle,
  request: RunRequest,
  { signal }: Stop,
  handOver: HandOver,
): Promise<Connection> {
  try {
    return await (isAttachOnly(request) ? agent.reach(signal) : agent.admit(request.allowStale, signal));
  } catch (error) {
    throw handOver.notReached(error);
  }
}

function openOn(
  connection: Connection,
  revision: number,
  request: RunRequest,
  stop: Stop,
): Exchange | Promise<Exchange> {
  const { guest } = connection;
  if (!guest.resumable && isAttachOnly(request)) {
    throw new ValinorError("RUN_UNKNOWN", "this agent speaks protocol 1: its runs can't be attached to");
  }
  if (!guest.takesTools && hasToolsOrHistory(request.message)) {
    throw new ValinorError(
      "INVALID_ARGUMENT",
      "this agent speaks protocol 1: it accepts neither tools nor history",
    );
  }
  if (lifeOf(request) !== "" && connection.heartbeat.lives !== true)
    throw new ValinorError("RUN_LOST", "the agent was exchanged for one that knows no such run");
  // Before it, the guest says what it has: it takes no message before its configuration is in force.
  const keepsConversations = connection.heartbeat.openclawKind !== "plain";
  const full = fullPayload(request, revision, keepsConversations);
  if (isShapedByClient(request.message)) checkFrame("message", full);
  const payload = guest.takesTools ? full : plainPayload(request);
  try {
    return connection.openNow("message", payload) ?? connection.open("message", payload, stop.signal);
  } catch (error) {
    throw error instanceof LinkError && error.code === "frame_too_large" ? tooLarge(error) : error;
  }
}

/** A run whose guest answers nothing before its first event. */
function unnumbered(exchange: Exchange, guest: Guest): OpenedRun {
  return { exchange, guest, bootId: "", attached: false, nextSequence: 1, life: "", rest: [] };
}

/** What does not fit into a frame towards the guest is the client's, not the guest's doing. */
function tooLarge(error: LinkError): ValinorError {
  return new ValinorError("REQUEST_TOO_LARGE", error.message, { cause: error });
}

/** Waits for `opened`, always the first answer; of guests that name no lives none is taken. */
async function takeOpened(
  exchange: Exchange,
  { guest, heartbeat }: Connection,
  request: RunRequest,
  stop: Stop,
): Promise<OpenedRun> {
  stop.tell((reason) => leave(exchange, reason));
  try {
    let frames: readonly Frame[] | undefined = [];
    while (frames?.length === 0) frames = await exchange.take();
    const { bootId, attached, nextSequence, life } = readOpened(
      frames?.[0],
      heartbeat.lives === true,
      request,
    );
    const rest = frames === undefined || frames.length === 1 ? [] : frames.slice(1);
    return { exchange, guest, bootId, attached, nextSequence, life, rest };
  } catch (error) {
    exchange.detach(LinkError.from(error, "closed"));
    throw error;
  } finally {
    stop.tell(undefined);
  }
}

/** A run that is opened while the server ends is left to its link, which ends soon: detaching from it could cancel it. */
function leave(exchange: Exchange, reason: StopReason): void {
  if (reason === "ending") exchange.fail(new LinkError("interrupted", "this server is stopping"));
  else exchange.detach(new LinkError("closed", "the client left"));
}

function plainPayload(request: RunRequest): object {
  const { message } = request;
  return { ...givenKeys(message), role: message?.role ?? "", content: message?.content ?? "" };
}
