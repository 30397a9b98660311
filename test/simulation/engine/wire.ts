import type { Frame } from "@valinor/protocol";
import type { Appointment, Clock } from "./clock.ts";
import type { Chance } from "./random.ts";

/** One end of a connection. */
export interface WireEnd {
  /** A frame came. `truth` is what the sender was like when it sent it, for the auditors. */
  onFrame(frame: Frame, truth: unknown): void;
  /** The connection is over; called once, and not for the end that closed it. */
  onClosed(reason: string): void;
  /** What this end had sent has arrived: there may be room for more. */
  onArrived?(): void;
}

/** Milliseconds that a frame takes. */
export interface Latency {
  readonly least: number;
  readonly most: number;
}

interface Packet {
  readonly frame: Frame | undefined; // undefined: the end of the connection
  readonly truth: unknown;
  readonly reason: string;
  readonly dueAt: number;
}

/** One direction of a connection: what is sent arrives in order, or is lost from some point on. */
class Lane {
  readonly #clock: Clock;
  readonly #end: () => WireEnd;
  readonly #sender: () => WireEnd;
  #packets: Packet[] = [];
  #next: Appointment | undefined;
  #heldUntil = 0;
  #isDeaf = false;
  #isOver = false;
  /** Bytes on their way. */
  bytes = 0;

  constructor(clock: Clock, end: () => WireEnd, sender: () => WireEnd) {
    this.#clock = clock;
    this.#end = end;
    this.#sender = sender;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  send(packet: Packet): void {
    if (this.#isOver || this.#isDeaf) return;
    const last = this.#packets.at(-1);
    const dueAt = Math.max(packet.dueAt, last?.dueAt ?? 0);
    this.#packets.push({ ...packet, dueAt });
    this.bytes += packet.frame?.size ?? 0;
    this.#arrange();
  }

  /** Nothing arrives before a time; what is sent waits. */
  hold(until: number): void {
    this.#heldUntil = Math.max(this.#heldUntil, until);
    if (this.#next !== undefined) this.#next.isOff = true;
    this.#next = undefined;
    this.#arrange();
  }

  /** What is on its way and what is sent from now on vanishes, and nobody is told. */
  deafen(): void {
    this.#isDeaf = true;
    this.#drop(0);
  }

  /** The connection broke: only the first `kept` of what is on its way arrive, and then its end. */
  breakOff(kept: number, reason: string, dueAt: number): void {
    this.#isDeaf = false;
    this.#drop(kept);
    this.send({ frame: undefined, truth: undefined, reason, dueAt });
    this.#isDeaf = true;
  }

  /** Nothing arrives any more. */
  stop(): void {
    this.#isOver = true;
    this.#drop(0);
    if (this.#next !== undefined) this.#next.isOff = true;
    this.#next = undefined;
  }

  get waiting(): number {
    return this.#packets.length;
  }

  #drop(kept: number): void {
    this.#packets = this.#packets.slice(0, kept);
    this.bytes = this.#packets.reduce((sum, { frame }) => sum + (frame?.size ?? 0), 0);
  }

  #arrange(): void {
    const first = this.#packets[0];
    if (first === undefined || this.#isOver || (this.#next !== undefined && !this.#next.isOff)) return;
    this.#next = this.#clock.at(Math.max(first.dueAt, this.#heldUntil), () => {
      this.#next = undefined;
      this.#deliver();
    });
  }

  #deliver(): void {
    const packet = this.#packets.shift();
    if (packet === undefined) return;
    if (packet.frame === undefined) {
      this.stop();
      return this.#end().onClosed(packet.reason);
    }
    this.bytes -= packet.frame.size;
    this.#arrange();
    this.#end().onFrame(packet.frame, packet.truth);
    this.#sender().onArrived?.();
  }
}

/** A connection between a host and a guest. It never changes the order of frames; it may lose what was on its way when it ends. */
export class Wire {
  readonly name: string;
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #toHost: Lane;
  readonly #toGuest: Lane;
  #latency: Latency;

  constructor(
    name: string,
    clock: Clock,
    chance: Chance,
    latency: Latency,
    host: () => WireEnd,
    guest: () => WireEnd,
  ) {
    this.name = name;
    this.#clock = clock;
    this.#chance = chance;
    this.#latency = latency;
    this.#toHost = new Lane(clock, host, guest);
    this.#toGuest = new Lane(clock, guest, host);
  }

  /** True once both ends know that it is over. */
  get isOver(): boolean {
    return this.#toHost.isOver && this.#toGuest.isOver;
  }

  /** Bytes on their way to the host. */
  get bytesToHost(): number {
    return this.#toHost.bytes;
  }

  /** Bytes on their way to the guest. */
  get bytesToGuest(): number {
    return this.#toGuest.bytes;
  }

  sendToHost(frame: Frame, truth: unknown): void {
    this.#toHost.send({ frame, truth, reason: "", dueAt: this.#due() });
  }

  sendToGuest(frame: Frame): void {
    this.#toGuest.send({ frame, truth: undefined, reason: "", dueAt: this.#due() });
  }

  /** The host ends it: what it sent arrives, and nothing reaches it any more. */
  closeByHost(reason: string): void {
    this.#toHost.stop();
    this.#toGuest.send({ frame: undefined, truth: undefined, reason, dueAt: this.#due() });
  }

  /** The guest ends it. */
  closeByGuest(reason: string): void {
    this.#toGuest.stop();
    this.#toHost.send({ frame: undefined, truth: undefined, reason, dueAt: this.#due() });
  }

  /** The host's machine is gone without a word: the guest hears nothing more. */
  loseHost(): void {
    this.#toHost.stop();
    this.#toGuest.deafen();
  }

  /** The guest's machine is gone without a word. */
  loseGuest(): void {
    this.#toGuest.stop();
    this.#toHost.deafen();
  }

  /** Both ends learn that it is over; of what is on its way a random part is lost. */
  cut(): void {
    for (const lane of [this.#toHost, this.#toGuest])
      lane.breakOff(this.#chance.count(0, lane.waiting), "the connection was cut", this.#due());
  }

  /** Nothing passes for a while; then everything does. */
  stall(ms: number): void {
    const until = this.#clock.now + ms;
    this.#toHost.hold(until);
    this.#toGuest.hold(until);
  }

  /** Nothing passes any more in one direction or in both, and neither end is told. */
  halfOpen(toHost: boolean, toGuest: boolean): void {
    if (toHost) this.#toHost.deafen();
    if (toGuest) this.#toGuest.deafen();
  }

  /** Frames take longer, or shorter again. */
  delay(latency: Latency): void {
    this.#latency = latency;
  }

  #due(): number {
    return this.#clock.now + this.#chance.between(this.#latency.least, this.#latency.most);
  }
}
