import { againReasons, attachReasons, type KnownReason, openReasons } from "@valinor/proto/reasons";

/**
 * Any reason: editors propose the known ones, and those of newer servers are texts as well. docs/errors.md says what each means.
 * CONNECTION_LOST and SEQUENCE_GAP are this library's own: it could not reach the server, or the connection broke; and a stream
 * left out an event.
 */
export type Reason = KnownReason | (string & {});

/** Reasons after which the same call, made again, may succeed without anybody doing something about it. */
export const transientReasons: ReadonlySet<Reason> = new Set([...againReasons, ...attachReasons]);

/** Reasons that leave open whether the agent got the message. */
export const unsureReasons: ReadonlySet<Reason> = new Set(openReasons);
