import { type Heartbeat, HeartbeatSchema } from "@valinor/proto/valinor/link/v1/link";
import type { Envelope } from "../../wire/envelope.ts";
import { LinkError } from "../../wire/errors.ts";
import type { Frame } from "../../wire/frame.ts";
import { limits } from "../../wire/limits.ts";
import { readPayload } from "../../wire/payload.ts";
import type { FrameType } from "../../wire/vocabulary.ts";
import type { Batch, ExchangeKind, HostExchange } from "./exchange.ts";
import { ExchangeTable } from "./exchange-table.ts";
import { FloodGuard, type Floodable } from "./flood.ts";
import { answersExchange } from "./frames.ts";
import type { Guest } from "./guest.ts";
import { lateHello, shake } from "./hello.ts";
import { Liveness } from "./liveness.ts";
import type { ExchangeReader, HostLinkOptions, HostLinkOutput, HostLinkShared } from "./output.ts";

/** A link that is up is looked at this often, milliseconds. */
const TICK_MS = 1_000;
/** Ticks further apart say that this process stood still: what a guest sent meanwhile is not read yet. */
const STOOD_STILL_MS = 3 * TICK_MS;

/** What a link has once its hello is over. */
interface Established {
  readonly guest: Guest;
  readonly bootId: string;
  readonly exchanges: ExchangeTable;
  readonly liveness: Liveness;
  readonly flood: FloodGuard;
}

/**
 * One connection to a guest, the host's side, from the first byte to the last: it shakes hands, routes each frame to the exchange that it
 * names and to nobody else, grants credit as readers take, answers pings, notices silence, floods and overruns, and ends every exchange
 * once. docs/wire-protocol.md has the rules. It does no I/O: docs/kernel.md. `now` is monotonic milliseconds.
 *
 *     hello --up--> up --lost, close--> ended        hello --lost, close--> ended
 */
export class HostLink implements Floodable {
  readonly #options: HostLinkOptions;
  readonly #shared: HostLinkShared;
  readonly #output: HostLinkOutput;
  readonly #helloUntil: number;
  #replied = false; // `hello` was sent
  #up: Established | undefined;
  #ended: LinkError | undefined;
  #heartbeat: Heartbeat | undefined;
  #keptHeartbeat: Frame | undefined;
  #dropped = 0;
  #heardAt: number;
  #tickAt: number;

  /** A connection was made just now, and its guest is to have finished the hello at `helloUntil`. */
  constructor(
    options: HostLinkOptions,
    shared: HostLinkShared,
    output: HostLinkOutput,
    helloUntil: number,
    now: number,
  ) {
    this.#options = options;
    this.#shared = shared;
    this.#output = output;
    this.#helloUntil = helloUntil;
    this.#heardAt = this.#tickAt = now;
  }

  /** Why the link has ended; undefined before. */
  get ended(): LinkError | undefined {
    return this.#ended;
  }

  /** What the guest's protocol means for its host; undefined before the hello is over. */
  get guest(): Guest | undefined {
    return this.#up?.guest;
  }

  /** Boot of the guest's process, as its hello named it; empty for protocol 1. */
  get bootId(): string {
    return this.#up?.bootId ?? "";
  }

  /** What the guest last said of itself; undefined before the hello is over. */
  get heartbeat(): Heartbeat | undefined {
    return this.#heartbeat;
  }

  /** When the last heartbeat came; 0 before the hello is over. */
  get heartbeatAt(): number {
    return this.#up?.liveness.heartbeatAt ?? 0;
  }

  /** Frames that named nothing we know: unknown types, ended exchanges. */
  get droppedFrames(): number {
    return this.#dropped;
  }

  /** How many exchanges are under way. */
  get exchanges(): number {
    return this.#up?.exchanges.size ?? 0;
  }

  /** How many exchanges were given up whose guest may not know it yet. */
  get lateExchanges(): number {
    return this.#up?.exchanges.late ?? 0;
  }

  /**
   * Opens an exchange under a name that nobody can guess. Undefined if the queue towards the guest is full: try again when it has room.
   * Throws LinkError: `busy` if too many exchanges are under way for another message, `unreachable` if the link is not up,
   * `frame_too_large`.
   */
  open(
    id: string,
    type: FrameType,
    payload: object,
    kind: ExchangeKind,
    reader: ExchangeReader,
    now: number,
  ): HostExchange | undefined {
    if (this.#up === undefined || this.#ended !== undefined)
      throw new LinkError("unreachable", "the link to the agent was lost");
    return this.#up.exchanges.open(id, type, payload, kind, reader, now);
  }

  /**
   * What came for an exchange since the last call. To ask says that the batch before is done with, and lets the guest send more. Throws
   * the LinkError by which the exchange failed. One reader at a time.
   */
  take(exchange: HostExchange, now: number): Batch {
    return (this.#up as Established).exchanges.take(exchange, now);
  }

  /** The reader of an exchange leaves: what came is dropped, and the guest is told to stop. Does nothing after the end. */
  detach(exchange: HostExchange, reason: LinkError, now: number): void {
    (this.#up as Established).exchanges.detach(exchange, reason, now);
  }

  /** Bytes came, of a frame or a part of one. */
  heard(now: number): void {
    this.#heardAt = now;
  }

  /** Largest frame that the guest may begin now. */
  mostBytes(now: number): number {
    return this.#up?.exchanges.mostBytes(now) ?? limits.smallFrameBytes;
  }

  /** Judges a frame before it is parsed; `dropped` is to be called for one that is not wanted. */
  wants({ type, id }: Envelope, size: number): boolean {
    if (this.#up === undefined) return true;
    if (answersExchange(type)) return this.#up.exchanges.has(id);
    return (type === "heartbeat" || type === "ping") && size <= limits.heartbeatBytes;
  }

  /** A frame was judged, and not parsed. */
  dropped({ type, id }: Envelope, size: number, now: number): void {
    if (this.#up === undefined || this.#ended !== undefined) return;
    if (type === "heartbeat") this.#floodsHeartbeats();
    else this.#drop(this.#up, id, size, now);
  }

  /** A frame came. */
  frame(frame: Frame, now: number): void {
    this.#heardAt = now;
    if (this.#ended !== undefined) return;
    const up = this.#up;
    if (up === undefined) return this.#shake(frame, now);
    if (answersExchange(frame.type)) {
      if (!up.exchanges.answer(frame, now)) this.#drop(up, frame.id, frame.size, now);
      return;
    }
    switch (frame.type) {
      case "heartbeat":
        return this.#onHeartbeat(up, frame, now);
      case "ping":
        return this.#onPing(up, frame, now);
      case "pong":
        return up.flood.dropped(frame.size, now);
      default:
        return this.#drop(up, frame.id, frame.size, now);
    }
  }

  /** When `tick` has something to do; undefined once the link has ended. */
  nextWake(): number | undefined {
    if (this.#ended !== undefined) return undefined;
    return this.#up === undefined ? this.#helloUntil : this.#tickAt + TICK_MS;
  }

  /** Looks at the clock. `behind`: bytes of the guest wait here to be decoded, so that what seems late may be among them. */
  tick(now: number, behind = false): void {
    if (this.#ended !== undefined) return;
    const stoodStill = now - this.#tickAt > STOOD_STILL_MS;
    this.#tickAt = now;
    const up = this.#up;
    if (up === undefined) {
      if (now >= this.#helloUntil) this.close(lateHello());
      return;
    }
    up.exchanges.tick(now);
    this.#readKept(up, now);
    if (!stoodStill && !behind) this.#checkSilence(up, now);
  }

  /** Ends the link from this side, and has the driver end the connection. Does nothing after the end. */
  close(reason: LinkError): void {
    if (this.#ended !== undefined) return;
    this.lost(reason);
    this.#output.close(reason);
  }

  /** The connection has ended: so does every exchange, each with what this means for it. Does nothing after the end. */
  lost(reason: LinkError): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#keptHeartbeat = undefined;
    this.#up?.flood.end();
    this.#up?.exchanges.end(reason);
  }

  /** The guest floods: ends the link. For the guard that counts over all links. */
  cutOff(): void {
    this.close(new LinkError("invalid_frame", "the guest floods frames that nobody asked for"));
  }

  #shake(frame: Frame, now: number): void {
    try {
      const step = shake(frame, this.#replied, this.#options);
      if (step.kind === "up") return this.#begin(step.guest, step.heartbeat, now);
      this.#replied = true;
      this.#output.control("hello", "", step.payload);
    } catch (error) {
      this.close(LinkError.from(error, "invalid_frame"));
    }
  }

  #begin(guest: Guest, heartbeat: Heartbeat, now: number): void {
    const liveness = new Liveness();
    liveness.heartbeat(now, guest.helloHeartbeats);
    this.#up = {
      guest,
      bootId: heartbeat.bootId ?? "",
      exchanges: new ExchangeTable(guest, this.#options.silenceMs, this.#shared.credit, this.#output),
      liveness,
      flood: new FloodGuard(this.#shared.unasked, this),
    };
    this.#heartbeat = heartbeat;
    this.#tickAt = now;
    this.#output.up();
  }

  #onPing({ flood }: Established, frame: Frame, now: number): void {
    if (flood.ping(frame.size, now)) this.#output.control("pong", frame.id, {});
    else this.#dropped++;
  }

  #onHeartbeat({ flood, liveness }: Established, frame: Frame, now: number): void {
    const verdict = flood.heartbeat(frame.size, now);
    if (verdict === "flood") return this.#floodsHeartbeats();
    // It says how the guest is now: one that was kept before is of no interest any more.
    this.#keptHeartbeat = verdict === "keep" ? frame : undefined;
    liveness.heartbeat(now);
    if (verdict === "read") this.#readHeartbeat(frame);
  }

  #readHeartbeat(frame: Frame): void {
    try {
      this.#heartbeat = readPayload(HeartbeatSchema, frame.payload);
    } catch (error) {
      return this.close(LinkError.from(error, "invalid_frame"));
    }
    this.#output.heartbeatCame();
  }

  #readKept({ flood }: Established, now: number): void {
    const kept = this.#keptHeartbeat;
    if (kept === undefined || !flood.isOver(now)) return;
    this.#keptHeartbeat = undefined;
    this.#readHeartbeat(kept);
  }

  #floodsHeartbeats(): void {
    this.close(new LinkError("invalid_frame", "the guest floods heartbeats"));
  }

  #drop({ exchanges, flood }: Established, id: string, size: number, now: number): void {
    this.#dropped++;
    if (!exchanges.forgives(id, size)) flood.dropped(size, now);
  }

  #checkSilence({ exchanges, liveness }: Established, now: number): void {
    exchanges.checkSilence(now);
    const step = liveness.check(now, this.#heardAt, this.#options.pingMs);
    if (step === "ping") this.#output.control("ping", this.#shared.mintId(), {});
    else if (step === "lost_ping") this.close(new LinkError("interrupted", "the guest answers no ping"));
    else if (step === "lost_heartbeat")
      this.close(new LinkError("interrupted", "the guest's heartbeats have stopped"));
  }
}
