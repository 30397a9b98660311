import { type MessageJson, OpenedSchema } from "@valinor/proto/valinor/link/v1/link";
import { AgentError } from "../../fleet/errors.ts";
import type { AgentHandle } from "../../fleet/handle.ts";
import type { Connection } from "../../link/connection.ts";
import type { Exchange } from "../../link/exchange.ts";
import { LinkError, type Frame, limits, readPayload, isName } from "@valinor/protocol";
import { ValinorError } from "../errors.ts";
import { checkFrame } from "./frame-check.ts";
import { errorOfFrame } from "../guest-errors.ts";
import { fitsProtocol1, givenKeys, isShapedByClient } from "./message-keys.ts";
import type { SeenRun } from "./seen-runs.ts";
import type { MessageInput } from "../inputs.ts";

/** A message for a guest, or the name of a run to attach to. */
export interface RunRequest {
  /** Names on the link. */
  readonly runId: string;
  readonly conversationId: string;
  /** Absent: only attach. */
  readonly message: MessageInput | undefined;
  readonly afterSequence: number;
  readonly onDisconnect: "continue" | "cancel";
  readonly allowStale: boolean;
  /** Life that the caller read before; empty: whichever has the name. */
  readonly life: string;
  /** What was seen of the run under this name; the life is written into it. */
  readonly seen: SeenRun;
}

/** An exchange whose guest has taken the message. */
export interface OpenedRun {
  readonly exchange: Exchange;
  readonly protocol: 1 | 2;
  readonly bootId: string;
  readonly attached: boolean;
  /** Number of the first event. */
  readonly nextSequence: number;
  /** Name of the run's life; empty if the guest names none. */
  readonly life: string;
  /** Frames that came with the first. */
  readonly rest: readonly Frame[];
}

/** How often an opening is tried if trying again is known to be safe. */
const TRIES = 3;

/**
 * Gives a message to a guest and waits until it is taken. A link that is lost meanwhile is not the caller's concern if
 * trying again can't run the message twice: if no byte of it had left, or if the same boot of the guest, which knows the
 * run by its name, is reached again. Rejects with LinkError, AgentError or ValinorError; an abort of the signal detaches.
 */
export async function openRun(
  agent: AgentHandle,
  request: RunRequest,
  signal: AbortSignal,
): Promise<OpenedRun> {
  let boot = "";
  for (let tries = 1; ; tries++) {
    const connection = await connect(agent, request, signal).catch((error: unknown) => {
      throw boot === "" ? error : inDoubt(error);
    });
    if (boot !== "" && connection.bootId !== boot) {
      throw new LinkError("interrupted", "the agent restarted before it had answered");
    }
    try {
      return await openOn(connection, agent.record.configRevision, request, signal);
    } catch (error) {
      const lost =
        error instanceof LinkError && (error.code === "interrupted" || error.code === "unreachable");
      if (!lost || tries === TRIES || signal.aborted) throw boot === "" ? error : inDoubt(error);
      if (error.code === "interrupted") {
        if (connection.protocol === 1) throw error;
        boot = connection.bootId;
      }
    }
  }
}

/** Once a byte of the message has left, no later failure to reach the guest says that it does not run. */
function inDoubt(error: unknown): unknown {
  const harmless = error instanceof LinkError && (error.code === "unreachable" || error.code === "busy");
  return harmless || error instanceof AgentError
    ? new LinkError("interrupted", `the agent did not answer: ${error.message}`, error)
    : error;
}

/** Reading a run that exists needs no configuration in force; running one does. */
function connect(agent: AgentHandle, request: RunRequest, signal: AbortSignal): Promise<Connection> {
  return isAttachOnly(request) ? agent.reach(signal) : agent.admit(request.allowStale, signal);
}

/** A run that this process, or the caller, has seen exists: handing its message over again may not begin another one. */
function isAttachOnly(request: RunRequest): boolean {
  return request.message === undefined || request.afterSequence > 0 || lifeOf(request) !== "";
}

/** The life that is meant: what the caller says counts more than what this process has seen. */
function lifeOf({ life, seen }: RunRequest): string {
  return life === "" ? seen.life : life;
}

async function openOn(
  connection: Connection,
  revision: number,
  request: RunRequest,
  signal: AbortSignal,
): Promise<OpenedRun> {
  if (connection.protocol === 1 && isAttachOnly(request)) {
    throw new ValinorError("RUN_UNKNOWN", "this agent speaks protocol 1: its runs can't be attached to");
  }
  if (connection.protocol === 1 && !fitsProtocol1(request.message)) {
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
  const payload = connection.protocol === 1 ? plainPayload(request) : full;
  const exchange = await connection.open("message", payload, signal).catch((error: unknown) => {
    throw error instanceof LinkError && error.code === "frame_too_large" ? tooLarge(error) : error;
  });
  if (connection.protocol === 1) {
    return { exchange, protocol: 1, bootId: "", attached: false, nextSequence: 1, life: "", rest: [] };
  }
  return takeOpened(exchange, connection.heartbeat.lives === true, request, signal);
}

/** What does not fit into a frame towards the guest is the client's, not the guest's doing. */
function tooLarge(error: LinkError): ValinorError {
  return new ValinorError("REQUEST_TOO_LARGE", error.message, { cause: error });
}

/** Waits for `opened`, always the first answer; of guests that name no lives none is taken. */
async function takeOpened(
  exchange: Exchange,
  hasLife: boolean,
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
    if (first?.type === "error") throw refusal(first, request);
    if (first?.type !== "opened")
      throw new LinkError("invalid_frame", "the agent's first answer was not `opened`");
    const opened = readPayload(OpenedSchema, first.payload);
    const { bootId, attached, nextSequence } = opened;
    const life = hasLife ? (opened.life ?? "") : "";
    if (nextSequence < 1 || nextSequence > request.afterSequence + 1) {
      throw new LinkError(
        "invalid_frame",
        `the agent goes on at ${nextSequence}, not after ${request.afterSequence}`,
      );
    }
    // It is remembered for each run, and clients give it back.
    if (life !== "" && !isName(life))
      throw new LinkError(
        "invalid_frame",
        "the agent named the life of its run with characters that are not allowed",
      );
    checkLife(request, life);
    return { exchange, protocol: 2, bootId, attached, nextSequence, life, rest };
  } catch (error) {
    exchange.detach(LinkError.from(error, "closed"));
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** What a guest says of a run that it does not know, and that was seen, is that it has forgotten it. */
function refusal(frame: Frame, request: RunRequest): ValinorError {
  const error = errorOfFrame(frame);
  if (error.reason !== "RUN_UNKNOWN" || lifeOf(request) === "") return error;
  return new ValinorError("RUN_LOST", "the agent no longer knows the run: it was restarted or put back", {
    cause: error,
  });
}

/** Writes down the life of a run that was opened. Throws RUN_LOST if it is not the life that was meant. */
function checkLife(request: RunRequest, life: string): void {
  const { seen } = request;
  const meant = lifeOf(request);
  if (meant !== "" && meant !== life)
    throw new ValinorError("RUN_LOST", "the run of that name is a different one: it began again");
  if (seen.life === life) return;
  // The caller has read a life that this process has not.
  seen.life = life;
  seen.sequence = seen.mark = 0;
}

function plainPayload(request: RunRequest): object {
  const { message } = request;
  return { ...givenKeys(message), role: message?.role ?? "", content: message?.content ?? "" };
}

function fullPayload(request: RunRequest, revision: number, keepsConversations: boolean): object {
  const { message } = request;
  const own: MessageJson = {
    role: message?.role ?? "",
    content: message?.content ?? "",
    request_id: request.runId,
    conversation_id: request.conversationId,
    after_sequence: request.afterSequence,
    credit: limits.creditWindow,
    on_disconnect: request.onDisconnect,
    ...(request.allowStale ? {} : { min_config_revision: revision }),
    ...knownOf(request),
  };
  return { ...givenKeys(message, keepsConversations), ...own };
}

/** What is known of the run that is meant: the guest refuses if its own run is a different one. Only guests that name lives know these fields. */
function knownOf(request: RunRequest): Pick<MessageJson, "run_life" | "run_seen"> {
  const life = lifeOf(request);
  if (life === "") return {};
  const { seen } = request;
  const isSeen = seen.life === life && seen.sequence > 0;
  return { run_life: life, ...(isSeen && { run_seen: { sequence: seen.sequence, mark: seen.mark } }) };
}
