import {
  type Batch,
  type ExchangeKind,
  type Frame,
  type FrameType,
  type Guest,
  type HostExchange,
  HostLink,
  type HostLinkOutput,
  type HostLinkShared,
  LinkError,
  limits,
  type Ticket,
} from "@valinor/protocol";
import type { Clock } from "../engine/clock.ts";
import type { Truth } from "../engine/facts.ts";
import type { History } from "../engine/history.ts";
import { Alarm, type NodeClock } from "../engine/node-clock.ts";
import { Signal, type Tasked } from "../engine/task.ts";
import type { Wire, WireEnd } from "../engine/wire.ts";

/** A request to the guest has this long to be answered, and waits this long for room. */
const ROOM_MS = limits.requestDialMs;
/** Bytes that wait to leave before there is no room. */
const QUEUE_BYTES = 32 * 1024;

/** What a connection needs of the host process around it. */
export interface ConnectionParts {
  readonly host: string;
  readonly clock: Clock;
  readonly local: NodeClock;
  readonly history: History;
  readonly shared: HostLinkShared;
  readonly agent: string;
  readonly makeLink: LinkMaker;
  onUp(connection: HostConnection): void;
  onHeartbeat(connection: HostConnection): void;
  onEnd(connection: HostConnection, reason: LinkError): void;
}

/** Makes the kernel of a link; tests of the auditors make another one. */
export type LinkMaker = (...made: ConstructorParameters<typeof HostLink>) => HostLink;

/** An exchange and how its reader is woken. */
export interface OpenExchange {
  readonly exchange: HostExchange;
  readonly signal: Signal;
}

/** A frame that waits to leave. */
interface Leaving {
  readonly frame: Frame;
  readonly ticket: { handed: boolean };
}

/** The host's end of a connection to a guest: the real kernel of the link, and a model of its driver. */
export class HostConnection implements WireEnd, HostLinkOutput {
  readonly link: HostLink;
  /** What the guest was like when it sent the latest of what reached us that tells of it. */
  truth: Truth | undefined;
  readonly #parts: ConnectionParts;
  readonly #alarm: Alarm;
  readonly #room = new Signal();
  #wire: Wire | undefined;
  #leaving: Leaving[] = [];
  #leavingBytes = 0;
  #isFlushDue = false;

  constructor(parts: ConnectionParts, helloUntil: number) {
    this.#parts = parts;
    const { local, agent } = parts;
    const options = { token: "token", agentId: agent, pingMs: limits.pingMs, silenceMs: limits.messageMs };
    this.link = parts.makeLink(options, parts.shared, this, helloUntil, local.now());
    const due = () => this.link.nextWake();
    this.#alarm = new Alarm(parts.clock, local, due, () => {
      this.link.tick(local.now());
      this.#alarm.look();
    });
    this.#alarm.look();
  }

  get guest(): Guest | undefined {
    return this.link.guest;
  }

  get bootId(): string {
    return this.link.heartbeat?.bootId ?? "";
  }

  /** The connection is made. */
  join(wire: Wire): void {
    this.#wire = wire;
  }

  /** The wire that it uses; for faults. */
  get wire(): Wire | undefined {
    return this.#wire;
  }

  /** Opens an exchange, waiting for room. Throws LinkError. */
  *open(type: FrameType, payload: object, kind: ExchangeKind): Tasked<OpenExchange> {
    const { clock, local, shared } = this.#parts;
    const end = clock.now + ROOM_MS;
    const signal = new Signal();
    for (;;) {
      const reader = { wake: () => signal.wake() };
      const exchange = this.link.open(shared.mintId(), type, payload, kind, reader, local.now());
      if (exchange !== undefined) return { exchange, signal };
      if (clock.now >= end) throw new LinkError("busy", "the queue towards the agent stayed full");
      yield { signals: [this.#room], ms: end - clock.now };
    }
  }

  /** The next batch of an exchange. Throws the LinkError that it failed with. */
  *take({ exchange, signal }: OpenExchange): Tasked<readonly Frame[] | undefined> {
    for (;;) {
      const batch = this.takeNow(exchange);
      if (batch !== "wait") return batch;
      yield { signals: [signal], ms: Infinity };
    }
  }

  /** Asks for a batch once. */
  takeNow(exchange: HostExchange): Batch {
    const { host, local, history } = this.#parts;
    try {
      return this.link.take(exchange, local.now());
    } finally {
      history.record({ kind: "held", host, id: exchange.id, bytes: exchange.held });
    }
  }

  detach(exchange: HostExchange, reason: LinkError): void {
    this.link.detach(exchange, reason, this.#parts.local.now());
  }

  /** Sends a frame and waits for the one that answers it. Throws LinkError. */
  *request(type: FrameType, payload: object, ms: number): Tasked<Frame> {
    const { clock } = this.#parts;
    const end = clock.now + ms;
    const opened = yield* this.open(type, payload, "request");
    try {
      for (;;) {
        const batch = this.takeNow(opened.exchange);
        if (batch === undefined) throw new LinkError("invalid_frame", `no answer to ${type}`);
        if (batch !== "wait" && batch[0] !== undefined) return batch[0];
        if (clock.now >= end) throw new LinkError("timeout", `no answer to ${type} within ${ms} ms`);
        if (batch === "wait") yield { signals: [opened.signal], ms: end - clock.now };
      }
    } finally {
      this.detach(opened.exchange, new LinkError("closed", "answered"));
    }
  }

  /** The host's process stood still, or its clock jumped. */
  resetAlarm(): void {
    this.#alarm.reset();
  }

  onFrame(frame: Frame, truth: unknown): void {
    const now = this.#parts.local.now();
    this.#note(frame, truth as Truth);
    if (this.link.wants(frame, frame.size)) this.link.frame(frame, now);
    else {
      this.link.heard(now);
      this.link.dropped(frame, frame.size, now);
    }
    this.#alarm.look();
  }

  onClosed(reason: string): void {
    this.#end(new LinkError("interrupted", reason));
  }

  onArrived(): void {
    this.#room.wake();
  }

  offer(type: FrameType, id: string, payload: object): Ticket | undefined {
    if (this.#leavingBytes + (this.#wire?.bytesToGuest ?? 0) > QUEUE_BYTES) {
      this.#parts.history.count("host: a link had no room");
      return undefined;
    }
    return this.#queue(type, id, payload);
  }

  control(type: FrameType, id: string, payload: object): void {
    this.#queue(type, id, payload);
  }

  /** The kernel ends the connection. */
  close(reason: LinkError): void {
    this.#parts.history.count(`host closed a link: ${reason.message.slice(0, 40)}`);
    this.#wire?.closeByHost(reason.message);
    this.#end(reason);
  }

  up(): void {
    this.#parts.onUp(this);
  }

  heartbeatCame(): void {
    this.#parts.onHeartbeat(this);
  }

  /** The host's process is gone. */
  drop(silently: boolean): void {
    this.#alarm.stop();
    if (silently) this.#wire?.loseHost();
    else this.#wire?.closeByHost("the host is gone");
  }

  /** A frame tells of the configuration if it names a revision, and of the context if it names a digest of that. */
  #note({ payload }: Frame, truth: Truth): void {
    const tellsConfig = "config_revision" in payload || "revision" in payload;
    const tellsContext = "context_sha256" in payload;
    if (!tellsConfig && !tellsContext) return;
    const before = this.truth ?? truth;
    const { revision, config } = tellsConfig ? truth : before;
    this.truth = { ...truth, revision, config, context: (tellsContext ? truth : before).context };
  }

  #end(reason: LinkError): void {
    this.#alarm.stop();
    this.link.lost(reason);
    this.#leaving = [];
    this.#room.wake();
    this.#parts.onEnd(this, reason);
  }

  #queue(type: FrameType, id: string, payload: object): Ticket {
    const json = JSON.stringify(payload);
    const frame: Frame = { type, id, payload: JSON.parse(json), size: 40 + id.length + json.length };
    const ticket = { handed: false };
    this.#leaving.push({ frame, ticket });
    this.#leavingBytes += frame.size;
    // What is queued in one step leaves in one write, a little later.
    if (!this.#isFlushDue) {
      this.#isFlushDue = true;
      this.#parts.clock.after(0, () => this.#flush());
    }
    return ticket;
  }

  #flush(): void {
    this.#isFlushDue = false;
    this.#leavingBytes = 0;
    const leaving = this.#leaving;
    this.#leaving = [];
    for (const { frame, ticket } of leaving) {
      ticket.handed = true;
      this.#wire?.sendToGuest(frame);
    }
  }
}
