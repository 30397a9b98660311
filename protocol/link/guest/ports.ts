import type { ConfigAckJson, HeartbeatJson } from "@valinor/proto/valinor/link/v1/link";
import type { LinkError } from "../../wire/errors.ts";
import type { UnknownObject } from "../../wire/frame.ts";
import type { ErrorCode, FrameType } from "../../wire/vocabulary.ts";
import type { Message, OnDisconnect } from "./message.ts";

/**
 * What a link has its driver do. All methods are called synchronously, from within the inputs of the kernel. A driver may call
 * `GuestLink.closed` from within any of them.
 */
export interface LinkPort {
  /** Queues a frame that carries an event. False if the queue is full: the driver calls `GuestLink.room` once it has room again. */
  offer(frame: Buffer): boolean;
  /** Queues a small frame that keeps the link going. A driver whose peer takes not even those ends the link. */
  control(type: FrameType, id: string, payload: object): void;
  /** Ends the link at once. */
  close(reason: LinkError): void;
  /** Sends what is queued, for a bounded time, and then ends the link. */
  finish(reason: LinkError): void;
}

/** The bounds that a guest's link keeps; milliseconds, but for `exchanges`. */
export interface LinkBounds {
  /** A valid hello comes within this time. */
  readonly helloMs: number;
  /** Time between two heartbeats, if nothing changes. */
  readonly heartbeatMs: number;
  /** A link on which nothing was heard for this long is closed; the guest pings after half of it. */
  readonly hostSilenceMs: number;
  /** Exchanges of messages that are open at once on one link. */
  readonly exchanges: number;
}

/** How a reader left its run: it was told to stop or has everything, or its link was lost and it may come back. */
export type Leaving = "detached" | "lost";

/** One that reads a run's events. */
export interface RunReader {
  /** Number of the event that it takes next. */
  readonly next: number;
  /** Sends what may be sent; called after every event. */
  pump(now: number): void;
  /** Sends a sign of life, if credit and link allow it. */
  progress(): void;
  /** Ends the exchange, not the run, with an error. */
  refuse(code: ErrorCode, message: string, now: number): void;
}

/** A run, as its readers see it. */
export interface ReadableRun {
  /** Name of this run, which no other run has, not even another one of the same request. */
  readonly life: string;
  /** True once the request is in the ledger: readers are answered from then on. */
  readonly accepted: boolean;
  readonly ended: boolean;
  readonly journal: {
    /** Number of the next event that the run will get. */
    readonly next: number;
    /** The event of that number; undefined if it is gone or not there yet. */
    event(sequence: number): { readonly type: FrameType; readonly json: string } | undefined;
  };
  /** Adds a reader. `onDisconnect` replaces what was said before, if it is given. */
  attach(reader: RunReader, onDisconnect: OnDisconnect | undefined, now: number): void;
  /** Removes a reader. */
  leave(reader: RunReader, how: Leaving, now: number): void;
  /** A reader went on: what it has taken may be dropped, and the model read again. */
  settle(now: number): void;
}

/** The run that a message is about. */
export interface OpenedRun {
  readonly run: ReadableRun;
  /** True if it existed before. */
  readonly attached: boolean;
  /** Number of the first event that the exchange wants. */
  readonly next: number;
}

/** One who is told how a configuration fared. A link that is gone by then drops the answer. */
export interface ConfigWaiter {
  answer(ack: ConfigAckJson): void;
}

/** What a link asks of the guest behind it. */
export interface LinkOwner {
  readonly bounds: LinkBounds;
  readonly bootId: string;
  /** True if a host that tells this token may come in. */
  admits(token: string): boolean;
  /** What a heartbeat tells a host that was let in. */
  heartbeat(now: number): HeartbeatJson;
  /** Finds the run of a message, or begins it. Throws Failure, which ends the exchange alone. */
  attachOrBegin(message: Message, now: number): OpenedRun;
  /** Ends a run that is in flight; false if there is none of that request. */
  cancelRun(requestId: string, reason: string, now: number): boolean;
  /** Takes a `config_update`, and answers now or later. Throws Failure `invalid_config` if it is none. */
  pushConfig(payload: UnknownObject, waiter: ConfigWaiter): void;
  /** Takes a `context_update`. Throws Failure `invalid_config` if it is none. */
  pushContext(payload: UnknownObject): ConfigAckJson;
  /** A host was let in. */
  linkGreeted(): void;
  /** An exchange that read a run has ended. */
  exchangeEnded(now: number): void;
  /** A link is gone; called once for each. */
  linkClosed(link: OwnedLink, closed: ClosedLink, now: number): void;
  /** The link has something to do at that time, which may be earlier than what it said before. */
  wakeAt(time: number): void;
  /** A frame ran into a fault of the guest itself. */
  frameFailed(type: string, cause: unknown): void;
}

/** A link, as the guest behind it drives it. */
export interface OwnedLink {
  /** True while an exchange that reads a run has not ended. */
  readonly busy: boolean;
  /** Tells the host how the guest is: if its status has changed, or `always`. */
  tell(always: boolean, now: number): void;
  /** Does what is due, and closes a link that broke a bound on time. */
  tick(now: number): void;
  /** When `tick` next has something to do; Infinity if never. */
  nextWake(): number;
}

/** What is told of a link that is gone. */
export interface ClosedLink {
  readonly reason: LinkError;
  /** True if its host had been let in. */
  readonly greeted: boolean;
  /** Frames that were dropped because nobody asked for them. */
  readonly dropped: number;
}
