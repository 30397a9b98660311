import type { Heartbeat } from "@valinor/proto/valinor/link/v1/link";
import type { Guest, HostLinkOptions, LinkError, Frame, FrameType } from "@valinor/protocol";
import type { Exchange } from "./exchange.ts";
import type { Intake } from "./intake.ts";

/** What a connection needs to know of its guest. */
export interface ConnectionOptions extends HostLinkOptions {
  /** What this link shares with all others of the process. */
  readonly intake: Intake;
  /** A heartbeat came on a connection that is up. */
  onHeartbeat(connection: Connection): void;
}

/** A connection to one guest, past its hello. */
export interface Connection {
  /** What the guest's protocol means for its host: ask this, not for its number. */
  readonly guest: Guest;
  /** Number of the guest's protocol, to be shown. */
  readonly protocol: 1 | 2;
  /** Boot of the guest's process; empty for protocol 1. */
  readonly bootId: string;
  /** The guest's latest heartbeat, and when it came. */
  readonly heartbeat: Heartbeat;
  readonly heartbeatAt: number;
  /** Frames that named nothing we know: unknown types, ended ids. */
  readonly dropped: number;
  /** As `open`, but undefined if the queue towards the guest is full. Throws. */
  openNow(type: FrameType, payload: object): Exchange | undefined;
  /**
   * Opens an exchange with a frame that carries a message. If the queue towards the guest is full it waits for room, at
   * most 5 s and until the signal aborts (`busy`; so are too many messages at once). Throws `frame_too_large`, `unreachable`.
   */
  open(type: FrameType, payload: object, signal: AbortSignal): Promise<Exchange>;
  /** Sends a frame and waits at most `ms` for the one frame that answers it. Throws LinkError. */
  request(type: FrameType, payload: object, ms: number): Promise<Frame>;
  /** Ends the connection; every exchange fails with the reason. */
  close(reason: LinkError): void;
  /** Resolves with the reason once the connection has ended. */
  readonly closed: Promise<LinkError>;
}
