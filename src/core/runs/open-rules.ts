import { type MessageJson, type Opened, OpenedSchema } from "@valinor/proto/valinor/link/v1/link";
import { LinkError, type Frame, limits, readPayload, isName, type UnknownObject } from "@valinor/protocol";
import { ValinorError } from "../errors.ts";
import { errorOfFrame } from "../guest-errors.ts";
import type { MessageInput } from "../inputs.ts";
import { givenKeys } from "./message-keys.ts";
import type { SeenRun } from "./seen-runs.ts";

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

/** What `opened`, the first answer to a message, tells of the run. */
export interface OpenedAnswer {
  readonly bootId: string;
  readonly attached: boolean;
  /** Number of the first event. */
  readonly nextSequence: number;
  /** Name of the run's life; empty if the guest names none. */
  readonly life: string;
}

/**
 * Reads a guest's first answer to a message, and writes down the life of the run; of guests that name no lives none is taken. Throws
 * ValinorError for what the guest says against the message, LinkError `invalid_frame` for an answer that it may not give.
 */
export function readOpened(first: Frame | undefined, hasLife: boolean, request: RunRequest): OpenedAnswer {
  if (first?.type === "error") throw refusal(first, request);
  if (first?.type !== "opened")
    throw new LinkError("invalid_frame", "the agent's first answer was not `opened`");
  const opened = readPlainOpened(first.payload) ?? readPayload(OpenedSchema, first.payload);
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
  return { bootId, attached, nextSequence, life };
}

/** `opened` as guests write it, without the schema's reflection; undefined for any other shape, which is the schema's to judge. */
export function readPlainOpened(payload: UnknownObject): Omit<Opened, "$typeName"> | undefined {
  const { boot_id: bootId, attached, next_sequence: nextSequence, life } = payload;
  if (typeof bootId !== "string" || !bootId.isWellFormed() || typeof attached !== "boolean") return undefined;
  if (typeof nextSequence !== "number" || !Number.isInteger(nextSequence)) return undefined;
  if (nextSequence < 0 || nextSequence > 0xffff_ffff) return undefined;
  if (life === undefined) return { bootId, attached, nextSequence };
  return typeof life === "string" && life.isWellFormed()
    ? { bootId, attached, nextSequence, life }
    : undefined;
}

/** A run that this process, or the caller, has seen exists: handing its message over again may not begin another one. */
export function isAttachOnly(request: RunRequest): boolean {
  return request.message === undefined || request.afterSequence > 0 || lifeOf(request) !== "";
}

/** The life that is meant: what the caller says counts more than what this process has seen. */
export function lifeOf({ life, seen }: RunRequest): string {
  return life === "" ? seen.life : life;
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

/** The payload of the `message` frame for a guest that knows every field. */
export function fullPayload(request: RunRequest, revision: number, keepsConversations: boolean): object {
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
