import type { ReadOptions, ValinorError } from "@valinor/client";
import { openReasons } from "@valinor/proto/reasons";
import { monotonicNow } from "@valinor/protocol";
import { connectFault } from "../errors/connect-errors.ts";
import { note } from "../output.ts";

/** How long a message is tried to be handed over if it is not known whether it arrived. */
const OPEN_MS = 15_000;
/** Reasons that leave open whether the agent has the message. */
const UNSURE: ReadonlySet<string> = new Set(openReasons);

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
 * How a person at a terminal reads a run. A cut is mended by itself and told on stderr. What fails before the run is open fails at
 * once, unless it is in doubt whether the message arrived: a person sooner reads why than waits a minute.
 */
export function patience(signal: AbortSignal): ReadOptions {
  const began = monotonicNow();
  return {
    signal,
    shouldRetry: ({ error, begun, transient }) =>
      transient && (begun || (isUnsure(error) && monotonicNow() - began <= OPEN_MS)),
    onRetry: ({ error, attempt }) => {
      if (attempt === 1) note(`valinor: ${error.message}; going on as soon as possible ...`);
    },
  };
}

function isUnsure(error: ValinorError): boolean {
  const found = connectFault(error);
  // A server that stops says so by naming the last event that it gave.
  if (error.metadata["last_sequence"] !== undefined) return true;
  return UNSURE.has(error.reason) && (found === undefined || found.fault === "reset");
}
