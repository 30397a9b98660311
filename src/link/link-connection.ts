import type { Duplex } from "node:stream";
import type { Heartbeat } from "@valinor/proto/valinor/link/v1/link";
import {
  type Channel,
  type ChannelEvents,
  createChannel,
  encodeFrame,
  type Envelope,
  type Frame,
  type FrameRules,
  type FrameType,
  type Guest,
  HostLink,
  type HostLinkOutput,
  LinkError,
  limits,
  monotonicNow,
  type Ticket,
} from "@valinor/protocol";
import type { Connection, ConnectionOptions } from "./connection.ts";
import { Exchange } from "./exchange.ts";
import type { PartialOwner } from "./partials.ts";
import type { Ticked } from "./ticks.ts";

/** Whose a connection is once it is up. */
export interface ConnectionOwner {
  /** The connection has ended, which was up. Called once, from within whatever ended it. */
  connectionClosed(connection: Connection, reason: LinkError): void;
}

/** What waits for the end of the hello. */
interface Opening {
  resolve(connection: LinkConnection): void;
  reject(reason: LinkError): void;
}

/**
 * Drives the link's kernel (`HostLink`) over a socket: hands it the frames and the time, and carries out what it says. One object
 * for all of it, as ten thousand of them may wait for nothing.
 */
export class LinkConnection
  implements Connection, ChannelEvents, FrameRules, HostLinkOutput, PartialOwner, Ticked
{
  readonly #options: ConnectionOptions;
  readonly #owner: ConnectionOwner | undefined;
  readonly #channel: Channel;
  readonly #link: HostLink;
  #opening: Opening | undefined;
  #closed: PromiseWithResolvers<LinkError> | undefined; // made for the first who asks
  #slot: number | undefined; // in which its clock is looked at

  /** Takes a connected socket, and begins to shake hands; `opening` hears how that ended. */
  constructor(socket: Duplex, options: ConnectionOptions, opening: Opening, owner?: ConnectionOwner) {
    this.#options = options;
    this.#opening = opening;
    this.#owner = owner;
    const now = monotonicNow();
    this.#link = new HostLink(options, options.intake, this, now + limits.helloMs, now);
    this.#channel = createChannel(socket, this, { rules: this, turns: options.intake.turns });
  }

  get guest(): Guest {
    return this.#link.guest as Guest;
  }

  get protocol(): 1 | 2 {
    return this.guest.protocol;
  }

  get bootId(): string {
    return this.#link.bootId;
  }

  get heartbeat(): Heartbeat {
    return this.#link.heartbeat as Heartbeat;
  }

  get heartbeatAt(): number {
    return this.#link.heartbeatAt;
  }

  get dropped(): number {
    return this.#link.droppedFrames;
  }

  /** Why the connection has ended; undefined before. */
  get ended(): LinkError | undefined {
    return this.#link.ended;
  }

  get closed(): Promise<LinkError> {
    this.#closed ??= Promise.withResolvers<LinkError>();
    if (this.ended !== undefined) this.#closed.resolve(this.ended);
    return this.#closed.promise;
  }

  openNow(type: FrameType, payload: object): Exchange | undefined {
    const kind = type === "message" ? "message" : "request";
    return Exchange.open(this.#link, this.#options.intake.deliveries, type, payload, kind);
  }

  async open(type: FrameType, payload: object, signal: AbortSignal): Promise<Exchange> {
    let bound: AbortSignal | undefined; // made only if the queue is full
    for (;;) {
      const exchange = this.openNow(type, payload);
      if (exchange !== undefined) return exchange;
      bound ??= AbortSignal.any([signal, AbortSignal.timeout(limits.requestDialMs)]);
      await this.#channel.writer.room(bound).catch((error: unknown) => {
        throw new LinkError("busy", "the queue towards the agent stayed full", error);
      });
    }
  }

  async request(type: FrameType, payload: object, ms: number): Promise<Frame> {
    const began = monotonicNow();
    // A signal for each of ten thousand pushes would live for as long as its time: it is made only if the queue is full.
    const exchange = this.openNow(type, payload) ?? (await this.open(type, payload, AbortSignal.timeout(ms)));
    const timer = setTimeout(
      () => exchange.detach(new LinkError("timeout", `no answer to ${type} within ${ms} ms`)),
      Math.max(1, ms - (monotonicNow() - began)),
    );
    try {
      for (;;) {
        const frames = await exchange.take();
        const answer = frames?.[0];
        if (answer !== undefined) return answer;
        if (frames === undefined) throw new LinkError("invalid_frame", `no answer to ${type}`);
      }
    } finally {
      clearTimeout(timer);
      exchange.detach(new LinkError("closed", "answered"));
    }
  }

  close(reason: LinkError): void {
    this.#channel.close(reason);
  }

  /** Ends the connection if its hello is not over yet. */
  abandon(reason: LinkError): void {
    if (this.#opening !== undefined) this.#channel.close(reason);
  }

  /** For the wheel of links: looks at the clock. */
  tick(now: number): void {
    const channel = this.#channel;
    channel.check(now);
    this.#link.heard(channel.heardAt);
    this.#link.tick(now, channel.behind);
  }

  // What the channel asks and tells.

  get tokens(): number {
    return limits.guestTokens;
  }

  mostBytes(): number {
    return this.#link.mostBytes(this.#channel.readAt);
  }

  wants(envelope: Envelope, size: number): boolean {
    return this.#link.wants(envelope, size);
  }

  onDropped(envelope: Envelope, size: number): void {
    this.#link.dropped(envelope, size, this.#channel.readAt);
  }

  onPartial(bytes: number, announced: number): void {
    this.#options.intake.partials.hold(this, bytes, announced);
  }

  onFrame(frame: Frame): void {
    this.#link.frame(frame, this.#channel.readAt);
  }

  onClose(reason: LinkError): void {
    const { partials, ticks } = this.#options.intake;
    this.#link.lost(reason);
    partials.hold(this, 0, 0);
    if (this.#slot !== undefined) ticks.delete(this, this.#slot);
    this.#closed?.resolve(reason);
    if (this.#opening === undefined) this.#owner?.connectionClosed(this, reason);
    else this.#opening.reject(reason);
    this.#opening = undefined;
  }

  // What the link has it do; `close` above is a part of it.

  offer(type: FrameType, id: string, payload: object): Ticket | undefined {
    return this.#channel.writer.offer(encodeFrame(type, id, payload));
  }

  control(type: FrameType, id: string, payload: object): void {
    this.#channel.control(type, id, payload);
  }

  up(): void {
    this.#slot = this.#options.intake.ticks.add(this);
    this.#opening?.resolve(this);
    this.#opening = undefined;
  }

  heartbeatCame(): void {
    this.#options.onHeartbeat(this);
  }
}
