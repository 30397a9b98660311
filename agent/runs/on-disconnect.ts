import type { Leaving, OnDisconnect } from "@valinor/protocol";

/**
 * What becomes of a run in flight when its last reader has left, as docs/wire-protocol.md section 7 has it: it goes on, is cancelled at
 * once, or is cancelled after `orphanMs` unless a reader attaches before.
 */
export function afterLastReader(onDisconnect: OnDisconnect, how: Leaving): "goes on" | "cancel" | "wait" {
  if (onDisconnect === "continue") return "goes on";
  return how === "detached" ? "cancel" : "wait";
}

/** What holds if no message said it. A host of protocol 2 always does. */
export const UNSAID: OnDisconnect = "cancel";
