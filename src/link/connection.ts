import type { Duplex } from "node:stream";
import { type Heartbeat, HeartbeatSchema } from "../../gen/ts/valinor/link/v1/link_pb.ts";
import { type Channel, createChannel } from "../wire/channel.ts";
import { LinkError } from "../wire/errors.ts";
import { encodeFrame, type Frame } from "../wire/frame.ts";
import { limits } from "../wire/limits.ts";
import { readPayload } from "../wire/payload.ts";
import type { FrameType } from "../wire/vocabulary.ts";
import { Exchange, type ExchangeHost, type ExchangeOptions } from "./exchange.ts";
import { createFloodGuard } from "./flood.ts";
import { createHandshake } from "./handshake.ts";
import { mintId } from "./ids.ts";
import { createLiveness } from "./liveness.ts";
import { monotonicNow } from "../wire/clock.ts";

/** What a connection needs to know of its guest and of time. */
export interface ConnectionOptions {
  /** Secret for the guest's hello; empty where none is needed. */
  readonly token: string;
  /** Id of the agent: a guest that names another one is refused. */
  readonly agentId: string;
  /** How long a ping may go unanswered, milliseconds. */
  readonly pingMs: number;
  /** Silence that a reader bears within one exchange, milliseconds. */
  readonly silenceMs: number;
  /** A heartbeat came on a connection that is up. */
  onHeartbeat(connection: Connection): void;
}

/** A connection to one guest, past its hello. */
export interface Connection {
  readonly protocol: 1 | 2;
  /** Boot of the guest's process; empty for protocol 1. */
  readonly bootId: string;
  /** The guest's latest heartbeat, and when it came. */
  readonly heartbeat: Heartbeat;
  readonly heartbeatAt: number;
  /** Frames that named nothing we know: unknown types, ended ids. */
  readonly dropped: number;
  /**
   * Opens an exchange with a frame that carries a message. Where the queue towards the guest is full it waits for room, at
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

const KEEPALIVE_MS = limits.progressMs;
const TICK_MS = 1_000;
/** Most messages that are read at once on a connection: what bounds a guest that bounds nothing, and what all may hold. */
const MOST_MESSAGES = { 1: limits.runsInFlight, 2: limits.messagesPerLink } as const;

/**
 * Shakes hands on a connected socket and resolves with the connection. Rejects with LinkError, the socket closed, where the
 * guest breaks the protocol, refuses, or has not finished when the signal aborts.
 */
export function openConnection(
  socket: Duplex,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const handshake = createHandshake(options.token, options.agentId);
    let established: Established | undefined;

    const channel: Channel = createChannel(socket, {
      onFrame(frame) {
        if (established !== undefined) return established.onFrame(frame);
        try {
          const step = handshake(frame);
          if (step.kind === "reply") return void channel.writer.control(step.frame);
          signal.removeEventListener("abort", onAbort);
          established = establish(channel, step.protocol, step.heartbeat, options);
          resolve(established.connection);
        } catch (error) {
          channel.close(LinkError.from(error, "invalid_frame"));
        }
      },
      onClose(reason) {
        signal.removeEventListener("abort", onAbort);
        if (established !== undefined) established.onClose(reason);
        else reject(reason);
      },
    });
    const onAbort = () =>
      channel.close(new LinkError("timeout", "the guest did not finish its hello in time"));
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

interface Established {
  readonly connection: Connection;
  onFrame(frame: Frame): void;
  onClose(reason: LinkError): void;
}

/** Runs a connection whose hello is done: routes each frame to the exchange that it names, and to nobody else. */
function establish(
  channel: Channel,
  protocol: 1 | 2,
  first: Heartbeat,
  options: ConnectionOptions,
): Established {
  const exchanges = new Map<string, Exchange>();
  const liveness = createLiveness(options.pingMs);
  const flood = createFloodGuard();
  const closed = Promise.withResolvers<LinkError>();
  const exchangeOptions: ExchangeOptions = {
    credited: protocol === 2,
    keepaliveMs: KEEPALIVE_MS,
    silenceMs: protocol === 2 ? Math.max(options.silenceMs, limits.runSilenceMs) : options.silenceMs,
  };
  let heartbeat = first;
  let dropped = 0;
  // The hello of protocol 2 has two: such a guest is held to them from the start.
  for (let i = 0; i < protocol; i++) liveness.heartbeat(monotonicNow());

  const grant: ExchangeHost["grant"] = (id, limit) => channel.control("credit", id, { limit });
  const requestHost: ExchangeHost = { grant, detach: (id) => exchanges.delete(id) };
  const messageHost: ExchangeHost = {
    grant,
    detach(id) {
      exchanges.delete(id);
      if (protocol === 2) channel.control("detach", id, {});
    },
  };

  function onExchangeFrame(frame: Frame): void {
    const exchange = exchanges.get(frame.id);
    if (exchange === undefined) return drop(frame);
    const last = endsExchange(frame);
    if (last) exchanges.delete(frame.id);
    const uncounted = frame.type === "error" && (frame.payload["sequence"] ?? undefined) === undefined;
    exchange.push(frame, channel.heardAt, last, uncounted);
  }

  function onHeartbeat(frame: Frame): void {
    if (frame.size > limits.heartbeatBytes || !flood.heartbeat(frame.size)) {
      return channel.close(new LinkError("invalid_frame", "the guest floods heartbeats"));
    }
    try {
      heartbeat = readPayload(HeartbeatSchema, frame.payload);
    } catch (error) {
      return channel.close(LinkError.from(error, "invalid_frame"));
    }
    liveness.heartbeat(channel.heardAt);
    options.onHeartbeat(connection);
  }

  function drop(frame: Frame): void {
    dropped++;
    countUnasked(frame);
  }

  function countUnasked(frame: Frame): void {
    if (!flood.dropped(frame.size)) {
      channel.close(new LinkError("invalid_frame", "the guest floods frames that nobody asked for"));
    }
  }

  const tick = setInterval(() => {
    const now = monotonicNow();
    flood.tick();
    channel.check(now);
    for (const exchange of exchanges.values()) exchange.check(now);
    const step = liveness.check(now, channel.heardAt);
    if (step === "ping") channel.control("ping", mintId(), {});
    if (step === "lost_ping") channel.close(new LinkError("interrupted", "the guest answers no ping"));
    if (step === "lost_heartbeat")
      channel.close(new LinkError("interrupted", "the guest's heartbeats have stopped"));
  }, TICK_MS);
  tick.unref();

  function openNow(type: FrameType, frame: (id: string) => Buffer): Exchange | undefined {
    const isMessage = type === "message";
    if (isMessage && exchanges.size >= MOST_MESSAGES[protocol])
      throw new LinkError("busy", `${exchanges.size} messages to the agent are under way`);
    const exchange = new Exchange(mintId(), isMessage ? messageHost : requestHost, exchangeOptions);
    const ticket = channel.writer.offer(frame(exchange.id));
    if (ticket === undefined) return undefined;
    exchange.ticket = ticket;
    exchanges.set(exchange.id, exchange);
    return exchange;
  }

  const connection: Connection = {
    protocol,
    bootId: first.bootId ?? "",
    get heartbeat() {
      return heartbeat;
    },
    get heartbeatAt() {
      return liveness.heartbeatAt;
    },
    get dropped() {
      return dropped;
    },
    closed: closed.promise,
    close: (reason) => channel.close(reason),
    async open(type, payload, signal) {
      let bound: AbortSignal | undefined; // made only where the queue is full
      for (;;) {
        if (channel.closed) throw new LinkError("unreachable", "the link to the agent was lost");
        const exchange = openNow(type, (id) => encodeFrame(type, id, payload));
        if (exchange !== undefined) return exchange;
        bound ??= AbortSignal.any([signal, AbortSignal.timeout(limits.requestDialMs)]);
        await channel.writer.room(bound).catch((error: unknown) => {
          throw new LinkError("busy", "the queue towards the agent stayed full", error);
        });
      }
    },
    async request(type, payload, ms) {
      const began = monotonicNow();
      const exchange = await connection.open(type, payload, AbortSignal.timeout(ms));
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
    },
  };

  return {
    connection,
    onFrame(frame) {
      switch (frame.type) {
        case "chunk":
        case "opened":
        case "progress":
        case "tool_call":
        case "tool_blocked":
        case "config_ack":
        case "cancel_ack":
        case "error":
          return onExchangeFrame(frame);
        case "heartbeat":
          return onHeartbeat(frame);
        case "ping":
          return flood.heartbeat(frame.size) ? channel.control("pong", frame.id, {}) : drop(frame);
        case "pong":
          return countUnasked(frame);
        default:
          return drop(frame);
      }
    },
    onClose(reason) {
      clearInterval(tick);
      for (const exchange of exchanges.values()) exchange.fail(lossOf(exchange, reason));
      exchanges.clear();
      closed.resolve(reason);
    },
  };
}

/** What the loss of the link means to an exchange: whether the guest may have acted on it. */
function lossOf(exchange: Exchange, reason: LinkError): LinkError {
  if (reason.code === "invalid_frame" || reason.code === "frame_too_large") return reason;
  const code = exchange.ticket.handed ? "interrupted" : "unreachable";
  return new LinkError(code, `the link to the agent was lost: ${reason.message}`, reason);
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
