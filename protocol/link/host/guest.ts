import { limits } from "../../wire/limits.ts";

/**
 * What differs by the protocol that a guest speaks. The handshake chooses it; from then on whoever needs to know asks this object, and
 * nobody asks for the number of the protocol.
 */
export interface Guest {
  /** The number, to be shown. Not to be asked for anything else. */
  readonly protocol: 1 | 2;
  /** The guest sends no more than it was granted. Without credit up to 1 MiB of an exchange is buffered for its reader. */
  readonly credited: boolean;
  /** It is told (`detach`) when nobody reads an exchange any more. */
  readonly detaches: boolean;
  /** It names the configuration and the context that it has in force. Without that, what it acknowledged is assumed to be in force. */
  readonly reports: boolean;
  /** Its boots and runs have names, and events have numbers: a run can be attached to, read again and cancelled. */
  readonly resumable: boolean;
  /** It takes tools, history and the further fields of a message. */
  readonly takesTools: boolean;
  /** Heartbeats that its hello consists of: a guest that has sent two is held to send more. */
  readonly helloHeartbeats: number;
  /** Most messages that are read of it at once. */
  readonly mostMessages: number;
  /** Bytes that it may still send for an exchange that was given up. */
  readonly lateBytes: number;
  /** Silence within one exchange after which that ends, milliseconds; `configured` is how long the host bears it otherwise. */
  readonly silenceMs: (configured: number) => number;
}

/** Speaks in plain chunks: no credit, no boots, no numbers. */
const first: Guest = {
  protocol: 1,
  credited: false,
  detaches: false,
  reports: false,
  resumable: false,
  takesTools: false,
  helloHeartbeats: 1,
  mostMessages: limits.runsInFlight,
  lateBytes: limits.lateUncreditedBytes,
  silenceMs: (configured) => configured,
};

/** Numbers its events and obeys credit; it says `progress` while its model is silent. */
const second: Guest = {
  protocol: 2,
  credited: true,
  detaches: true,
  reports: true,
  resumable: true,
  takesTools: true,
  helloHeartbeats: 2,
  mostMessages: limits.messagesPerLink,
  lateBytes: limits.lateBytes,
  silenceMs: (configured) => Math.max(configured, limits.runSilenceMs),
};

/** The guests of every protocol that is spoken here. */
export const guests = { 1: first, 2: second } as const;
