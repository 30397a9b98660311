import type { Duplex } from "node:stream";
import {
  type Channel,
  createChannel,
  type Frame,
  type FrameType,
  type GuestLink,
  type LinkError,
  type LinkPort,
  monotonicNow,
} from "@valinor/protocol";
import type { GuestKernel } from "../kernel/guest-kernel.ts";

/** What is queued for a host that was refused has this long to leave. */
const FAREWELL_MS = 1_000;

/** What a link's driver tells its owner. */
export interface SocketLinkEvents {
  /** The kernel was given an input. */
  afterInput(): void;
  onClose(link: SocketLink): void;
}

/** One link to a host: a socket and its frames. What they mean is the kernel's affair. */
export class SocketLink implements LinkPort {
  readonly #channel: Channel;
  readonly #link: GuestLink;
  readonly #events: SocketLinkEvents;
  #roomAsked = false;

  /** Takes over a socket that was accepted. */
  constructor(socket: Duplex, kernel: GuestKernel, events: SocketLinkEvents) {
    this.#events = events;
    this.#channel = createChannel(socket, {
      onFrame: (frame) => this.#onFrame(frame),
      onClose: (reason) => this.#onClose(reason),
    });
    this.#link = kernel.openLink(this, monotonicNow());
    events.afterInput();
  }

  offer(frame: Buffer): boolean {
    if (this.#channel.writer.offer(frame) !== undefined) return true;
    if (!this.#roomAsked) {
      this.#roomAsked = true;
      this.#channel.writer.onRoom(() => this.#onRoom());
    }
    return false;
  }

  control(type: FrameType, id: string, payload: object): void {
    this.#channel.control(type, id, payload);
  }

  close(reason: LinkError): void {
    this.#channel.close(reason);
  }

  finish(reason: LinkError): void {
    void this.farewell(reason, FAREWELL_MS);
  }

  /** Sends what is queued, for at most `ms`, and closes. */
  async farewell(reason: LinkError, ms: number): Promise<void> {
    await this.#channel.finish(reason, ms);
  }

  /** Any byte counts as a sign of life, also one of a frame that is not complete. */
  tellHeard(): void {
    this.#link.heard(this.#channel.heardAt);
  }

  /** Closes a link on which a frame is not complete in time, or that takes nothing. */
  check(now: number): void {
    this.#channel.check(now);
  }

  #onFrame(frame: Frame): void {
    this.#link.frame(frame, monotonicNow());
    this.#events.afterInput();
  }

  #onRoom(): void {
    this.#roomAsked = false;
    this.#link.room(monotonicNow());
    this.#events.afterInput();
  }

  #onClose(reason: LinkError): void {
    this.#link.closed(reason, monotonicNow());
    this.#events.onClose(this);
    this.#events.afterInput();
  }
}
