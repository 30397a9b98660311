import type { FrameType } from "../../wire/vocabulary.ts";
import type { LinkError } from "../../wire/errors.ts";
import type { CreditPool } from "./credit-pool.ts";
import type { UnaskedTotal } from "./flood.ts";

/** What became of a frame that a writer took. */
export interface Ticket {
  /** True once a byte of the frame may have left: from then on the guest may act on it. The writer sets it. */
  readonly handed: boolean;
}

/** Whoever reads an exchange. */
export interface ExchangeReader {
  /**
   * A `take` that answered "wait" is to be called again: frames came, the exchange ended, or the guest has been silent for a while. Called
   * once for each such `take`, from within the methods of the link. Must not call the link, and must not throw.
   */
  wake(): void;
}

/**
 * What a host's link has its driver do. Its methods are called from within those of the link, at once and in order; `close` and `control`
 * may call `lost` before they return.
 */
export interface HostLinkOutput {
  /** Queues a frame of an exchange; undefined if the queue towards the guest is full. Throws LinkError `frame_too_large`. */
  offer(type: FrameType, id: string, payload: object): Ticket | undefined;
  /** Queues a small frame that keeps the link going, for which room is reserved. If there is none the link is to be ended by `lost`. */
  control(type: FrameType, id: string, payload: object): void;
  /** Ends the connection: the guest broke the protocol, was turned down, or is silent. Everything of the link has ended before. */
  close(reason: LinkError): void;
  /** The hello is over: exchanges may be opened. Called once at most. */
  up(): void;
  /** The guest said something of itself: `heartbeat` and `heartbeatAt` of the link have changed. */
  heartbeatCame(): void;
}

/** What a host's link is told of its guest. May change between two links: everything is asked for when it is needed. */
export interface HostLinkOptions {
  /** Secret for the guest's hello; empty if none is needed. */
  readonly token: string;
  /** Id of the agent: a guest that names another one is refused. */
  readonly agentId: string;
  /** How long a ping may go unanswered, milliseconds. */
  readonly pingMs: number;
  /** Silence that a reader bears within one exchange, milliseconds. */
  readonly silenceMs: number;
}

/** What the links of one process share. */
export interface HostLinkShared {
  /** Counts what guests send without being asked. */
  readonly unasked: UnaskedTotal;
  /** Shares out what they may send ahead of their readers. */
  readonly credit: CreditPool;
  /** A name that nobody can guess, for a ping. */
  mintId(): string;
}
