import { type Heartbeat, HeartbeatSchema } from "@valinor/proto/valinor/link/v1/link";
import {
  type Channel,
  type Guest,
  guests,
  monotonicNow,
  type Envelope,
  LinkError,
  encodeFrame,
  type Frame,
  limits,
  readPayload,
  type FrameType,
} from "@valinor/protocol";
import type { Connection, ConnectionOptions } from "./connection.ts";
import { Exchange, type ExchangeHost, type ExchangeOptions } from "./exchange.ts";
import { FloodGuard } from "./flood.ts";
import { mintId } from "./ids.ts";
import { LateExchanges } from "./late.ts";
import { createLiveness, type Liveness } from "./liveness.ts";

const KEEPALIVE_MS = limits.progressMs;
const TICK_MS = 1_000;
/** Ticks further apart say that this process stood still: what a guest sent meanwhile is not read yet. */
const STOOD_STILL_MS = 3 * TICK_MS;
/** Most messages that are read at once on a connection: what bounds a guest that bounds nothing, and what all may hold. */
const MOST_MESSAGES = { 1: limits.runsInFlight, 2: limits.messagesPerLink } as const;

/** A connection whose hello is done: routes each frame to the exchange that it names, and to nobody else. */
export class EstablishedConnection implements Connection {
  readonly protocol: 1 | 2;
  readonly bootId: string;
  readonly #channel: Channel;
  readonly #options: ConnectionOptions;
  readonly #exchanges = new Map<string, Exchange>();
  /** Ids of the exchanges that are of a message: they alone may bring large frames. */
  readonly #messages = new Set<string>();
  readonly #late: LateExchanges;
  readonly #liveness: Liveness;
  readonly #flood: FloodGuard;
  readonly #closed = Promise.withResolvers<LinkError>();
  readonly #exchangeOptions: ExchangeOptions;
  readonly #messageHost: ExchangeHost;
  readonly #requestHost: ExchangeHost;
  readonly #timer: NodeJS.Timeout;
  #heartbeat: Heartbeat;
  #keptHeartbeat: Frame | undefined;
  #largeUntil = -1; // when no message is read any more
  #dropped = 0;
  #tickAt = monotonicNow();

  constructor(channel: Channel, protocol: 1 | 2, first: Heartbeat, options: ConnectionOptions) {
    const credited = protocol === 2;
    this.protocol = protocol;
    this.bootId = first.bootId ?? "";
    this.#channel = channel;
    this.#options = options;
    this.#heartbeat = first;
    this.#late = new LateExchanges(credited ? limits.lateBytes : limits.lateUncreditedBytes);
    this.#flood = new FloodGuard(options.intake.unasked, (reason) => channel.close(reason));
    this.#liveness = createLiveness(options.pingMs);
    // The hello of protocol 2 has two: such a guest is held to them from the start.
    for (let i = 0; i < protocol; i++) this.#liveness.heartbeat(monotonicNow());
    const silenceMs = credited ? Math.max(options.silenceMs, limits.runSilenceMs) : options.silenceMs;
    this.#exchangeOptions = { credited, keepaliveMs: KEEPALIVE_MS, silenceMs };
    const grant: ExchangeHost["grant"] = (id, limit) => channel.control("credit", id, { limit });
    this.#requestHost = { grant, detach: (id) => this.#giveUp(id) };
    this.#messageHost = { grant, detach: (id) => this.#detach(id) };
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  get guest(): Guest {
    return guests[this.protocol];
  }

  get heartbeat(): Heartbeat {
    return this.#heartbeat;
  }

  get heartbeatAt(): number {
    return this.#liveness.heartbeatAt;
  }

  get dropped(): number {
    return this.#dropped;
  }

  get closed(): Promise<LinkError> {
    return this.#closed.promise;
  }

  close(reason: LinkError): void {
    this.#channel.close(reason);
  }

  async open(type: FrameType, payload: object, signal: AbortSignal): Promise<Exchange> {
    let bound: AbortSignal | undefined; // made only where the queue is full
    for (;;) {
      if (this.#channel.closed) throw new LinkError("unreachable", "the link to the agent was lost");
      const exchange = this.#openNow(type, payload);
      if (exchange !== undefined) return exchange;
      bound ??= AbortSignal.any([signal, AbortSignal.timeout(limits.requestDialMs)]);
      await this.#channel.writer.room(bound).catch((error: unknown) => {
        throw new LinkError("busy", "the queue towards the agent stayed full", error);
      });
    }
  }

  async request(type: FrameType, payload: object, ms: number): Promise<Frame> {
    const began = monotonicNow();
    const exchange = await this.open(type, payload, AbortSignal.timeout(ms));
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

  /** Largest frame that the guest may begin now. */
  mostBytes(): number {
    const large = this.#messages.size > 0 || monotonicNow() < this.#largeUntil;
    return large ? limits.frameBytes : limits.smallFrameBytes;
  }

  /** Judges a frame before it is parsed. */
  wants({ type, id }: Envelope, size: number): boolean {
    if (isExchangeType(type)) return this.#exchanges.has(id);
    return (type === "heartbeat" || type === "ping") && size <= limits.heartbeatBytes;
  }

  /** A frame was judged, and not parsed. */
  onDropped({ type, id }: Envelope, size: number): void {
    if (type === "heartbeat") this.#floodsHeartbeats();
    else this.#drop(id, size);
  }

  onFrame(frame: Frame): void {
    if (isExchangeType(frame.type)) return this.#onExchangeFrame(frame);
    switch (frame.type) {
      case "heartbeat":
        return this.#onHeartbeat(frame);
      case "ping":
        if (this.#flood.ping(frame.size)) this.#channel.control("pong", frame.id, {});
        else this.#dropped++;
        return;
      case "pong":
        return this.#flood.dropped(frame.size);
      default:
        return this.#drop(frame.id, frame.size);
    }
  }

  onClose(reason: LinkError): void {
    clearInterval(this.#timer);
    for (const exchange of this.#exchanges.values()) exchange.fail(lossOf(exchange, reason));
    this.#exchanges.clear();
    this.#messages.clear();
    this.#closed.resolve(reason);
  }

  #onExchangeFrame(frame: Frame): void {
    const exchange = this.#exchanges.get(frame.id);
    if (exchange === undefined) return this.#drop(frame.id, frame.size);
    const last = endsExchange(frame);
    if (last) this.#forget(frame.id);
    const uncounted = frame.type === "error" && (frame.payload["sequence"] ?? undefined) === undefined;
    exchange.push(frame, this.#channel.heardAt, last, uncounted);
  }

  #onHeartbeat(frame: Frame): void {
    const verdict = this.#flood.heartbeat(frame.size);
    if (verdict === "flood") return this.#floodsHeartbeats();
    // It says how the guest is now: one that was kept before is of no interest any more.
    this.#keptHeartbeat = verdict === "keep" ? frame : undefined;
    this.#liveness.heartbeat(this.#channel.heardAt);
    if (verdict === "read") this.#readHeartbeat(frame);
  }

  #readHeartbeat(frame: Frame): void {
    try {
      this.#heartbeat = readPayload(HeartbeatSchema, frame.payload);
    } catch (error) {
      return this.#channel.close(LinkError.from(error, "invalid_frame"));
    }
    this.#options.onHeartbeat(this);
  }

  #floodsHeartbeats(): void {
    this.#channel.close(new LinkError("invalid_frame", "the guest floods heartbeats"));
  }

  #drop(id: string, size: number): void {
    this.#dropped++;
    if (!this.#late.forgives(id, size)) this.#flood.dropped(size);
  }

  #openNow(type: FrameType, payload: object): Exchange | undefined {
    const isMessage = type === "message";
    if (isMessage && this.#exchanges.size >= MOST_MESSAGES[this.protocol])
      throw new LinkError("busy", `${this.#exchanges.size} messages to the agent are under way`);
    const host = isMessage ? this.#messageHost : this.#requestHost;
    const exchange = new Exchange(mintId(), host, this.#exchangeOptions);
    const ticket = this.#channel.writer.offer(encodeFrame(type, exchange.id, payload));
    if (ticket === undefined) return undefined;
    exchange.ticket = ticket;
    this.#exchanges.set(exchange.id, exchange);
    if (isMessage) this.#messages.add(exchange.id);
    return exchange;
  }

  /** An exchange is over. */
  #forget(id: string): void {
    this.#exchanges.delete(id);
    if (this.#messages.delete(id) && this.#messages.size === 0)
      this.#largeUntil = monotonicNow() + limits.frameMs;
  }

  /** Nobody waits for an exchange any more, and its guest may not know. */
  #giveUp(id: string): void {
    this.#forget(id);
    this.#late.add(id);
  }

  #detach(id: string): void {
    this.#giveUp(id);
    if (this.protocol === 2) this.#channel.control("detach", id, {});
  }

  #tick(): void {
    const now = monotonicNow();
    const stoodStill = now - this.#tickAt > STOOD_STILL_MS;
    this.#tickAt = now;
    this.#flood.tick();
    this.#late.tick(now);
    this.#channel.check(now);
    const kept = this.#keptHeartbeat;
    this.#keptHeartbeat = undefined;
    if (kept !== undefined && !this.#channel.closed) this.#readHeartbeat(kept);
    // What seems late may be here and wait for its turn.
    if (!stoodStill && !this.#channel.behind) this.#checkSilence(now);
  }

  #checkSilence(now: number): void {
    for (const exchange of this.#exchanges.values()) exchange.check(now);
    const step = this.#liveness.check(now, this.#channel.heardAt);
    if (step === "ping") this.#channel.control("ping", mintId(), {});
    if (step === "lost_ping") this.#channel.close(new LinkError("interrupted", "the guest answers no ping"));
    if (step === "lost_heartbeat")
      this.#channel.close(new LinkError("interrupted", "the guest's heartbeats have stopped"));
  }
}

/** What the loss of the link means to an exchange: whether the guest may have acted on it. */
function lossOf(exchange: Exchange, reason: LinkError): LinkError {
  if (reason.code === "invalid_frame" || reason.code === "frame_too_large") return reason;
  const code = exchange.ticket.handed ? "interrupted" : "unreachable";
  return new LinkError(code, `the link to the agent was lost: ${reason.message}`, reason);
}

/** True for a type that answers an exchange of the host. */
function isExchangeType(type: string): boolean {
  switch (type) {
    case "chunk":
    case "opened":
    case "progress":
    case "tool_call":
    case "tool_blocked":
    case "config_ack":
    case "cancel_ack":
    case "error":
      return true;
    default:
      return false;
  }
}

/** True for a frame that ends its exchange. */
function endsExchange(frame: Frame): boolean {
  switch (frame.type) {
    case "chunk":
      return frame.payload["done"] === true;
    case "opened":
    case "progress":
    case "tool_call":
      return false;
    default:
      return true;
  }
}
