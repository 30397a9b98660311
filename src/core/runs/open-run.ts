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

/** An exchange whose guest has taken the message. */
export interface OpenedRun extends OpenedAnswer {
  readonly exchange: Exchange;
  readonly guest: Guest;
  /** Frames that came with the first. */
  readonly rest: readonly Frame[];
}

/**
 * Gives a message to a guest and waits until it is taken. A link that is lost meanwhile is not the caller's concern if
 * handing the message over again can't run it twice (HandOver). Rejects with LinkError, AgentError or ValinorError; an abort of the signal detaches.
 */
export async function openRun(
  agent: AgentHandle,
  request: RunRequest,
  signal: AbortSignal,
): Promise<OpenedRun> {
  const handOver = new HandOver();
  for (;;) {
    const connection = await connect(agent, request, signal).catch((error: unknown) => {
      throw handOver.notReached(error);
    });
    handOver.begin(connection);
    try {
      return await openOn(connection, agent.record.configRevision, request, signal);
    } catch (error) {
      handOver.failed(error, connection, !signal.aborted);
    }
  }
}

/** Reading a run that exists needs no configuration in force; running one does. */
function connect(agent: AgentHandle, request: RunRequest, signal: AbortSignal): Promise<Connection> {
  return isAttachOnly(request) ? agent.reach(signal) : agent.admit(request.allowStale, signal);
}

async function openOn(
  connection: Connection,
  revision: number,
  request: RunRequest,
  signal: AbortSignal,
): Promise<OpenedRun> {
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
  const exchange = await connection.open("message", payload, signal).catch((error: unknown) => {
    throw error instanceof LinkError && error.code === "frame_too_large" ? tooLarge(error) : error;
  });
  if (!guest.resumable) {
    return { exchange, guest, bootId: "", attached: false, nextSequence: 1, life: "", rest: [] };
  }
  return takeOpened(exchange, connection, request, signal);
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
  signal: AbortSignal,
): Promise<OpenedRun> {
  const onAbort = () => exchange.detach(new LinkError("closed", "the client left"));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    if (signal.aborted) onAbort();
    let frames: readonly Frame[] | undefined = [];
    while (frames?.length === 0) frames = await exchange.take();
    const [first, ...rest] = frames ?? [];
    return { exchange, guest, ...readOpened(first, heartbeat.lives === true, request), rest };
  } catch (error) {
    exchange.detach(LinkError.from(error, "closed"));
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function plainPayload(request: RunRequest): object {
  const { message } = request;
  return { ...givenKeys(message), role: message?.role ?? "", content: message?.content ?? "" };
}
