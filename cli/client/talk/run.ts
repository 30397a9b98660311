import { type ReadOptions, type ValinorError, type RetryNotice, type EventStream } from "@valinor/client";
import { createStream, type StreamPlan } from "@valinor/client/internal";
import { connectFault } from "../errors/connect-errors.ts";
import { note } from "../output.ts";
import type { Session } from "../session.ts";
import { monotonicNow } from "@valinor/protocol";

/** How long a message is tried to be handed over where it is not known whether it arrived. */
const OPEN_MS = 15_000;
/** Errors that leave open whether the agent has the message. */
const UNSURE = new Set(["CONNECTION_LOST", "RUN_INTERRUPTED"]);

/** Form of the names that a caller may give. */
export const NAME_PATTERN = /^[A-Za-z0-9._:-]{1,128}$/;

/** Flags of the commands that send a message. */
export interface MessageOptions {
  readonly conversation?: string;
  readonly requestId?: string;
  readonly allowStaleConfig?: boolean;
}

/** The client library's options of a message's flags. */
export function messageOptions({ conversation, requestId, allowStaleConfig }: MessageOptions): {
  conversationId?: string;
  requestId?: string;
  allowStaleConfig?: boolean;
} {
  return {
    ...(conversation === undefined ? {} : { conversationId: conversation }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(allowStaleConfig === true ? { allowStaleConfig } : {}),
  };
}

/**
 * Opens the events of a run. A cut is mended by itself and told on stderr. What fails before the run is open fails at once, where
 * nothing is in doubt: a person sooner reads why than waits a minute.
 */
export function openRun(
  session: Session,
  plan: Omit<StreamPlan, keyof ReadOptions> & Pick<ReadOptions, "onDisconnect">,
  signal: AbortSignal,
): { stream: EventStream; opened: () => void } {
  const began = monotonicNow();
  let isOpen = false;
  let told = false;
  const onRetry = ({ error, attempt }: RetryNotice): void => {
    if (!isOpen && (!isUnsure(error) || monotonicNow() - began > OPEN_MS)) throw error;
    if (attempt === 1) told = false;
    if (!told) note(`valinor: ${error.message}; going on as soon as possible ...`);
    told = true;
  };
  const stream = createStream(session.proxy, { ...plan, signal, onRetry });
  return { stream, opened: () => void (isOpen = true) };
}

function isUnsure(error: ValinorError): boolean {
  const found = connectFault(error);
  // A server that stops says so by naming the last event that it gave.
  if (error.metadata["last_sequence"] !== undefined) return true;
  return UNSURE.has(error.reason) && (found === undefined || found.fault === "reset");
}
