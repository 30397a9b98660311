import type { Duplex } from "node:stream";
import { limits } from "./limits.ts";
import { monotonicNow } from "./clock.ts";

/** What became of a frame that was queued. */
export interface WriteTicket {
  /** True once a byte of the frame may have left: from then on the peer may act on it. */
  readonly handed: boolean;
}

/** The one ordered writer of a link. */
export interface FrameWriter {
  /** Queues a frame that carries a message; undefined if the queue is full (an empty one admits any frame). */
  offer(frame: Buffer): WriteTicket | undefined;
  /** Queues a small frame that keeps the link going; false if even the reserve is used up: the peer is lost. */
  control(frame: Buffer): boolean;
  /**
   * Resolves once the queue has room again, at once if it is empty or the socket has closed; rejects with the signal's
   * reason. A frame may be refused again after it: try in a loop.
   */
  room(signal: AbortSignal): Promise<void>;
  /** Calls back once, when the queue next has room. */
  onRoom(callback: () => void): void;
  /** Bytes that are queued or that the socket has not confirmed. */
  readonly queued: number;
  /** True while `offer` would refuse a small frame. */
  readonly full: boolean;
  /** Milliseconds for which bytes have been waiting without any of them being taken; 0 if none wait. */
  stalledFor(now: number): number;
  /** Resolves when everything queued so far has been handed to the socket and confirmed, or when it has closed. */
  flushed(): Promise<void>;
}

interface Queued {
  readonly bytes: Buffer;
  readonly ticket: { handed: boolean };
}

/**
 * Makes the writer of a socket. Frames leave in the order they were queued; those of one tick leave in one write. Pieces
 * handed to the socket are at most 64 KiB, each confirmed before the next, so that progress can be seen and a frame that
 * was not begun is known not to have been sent. Once the socket has closed nothing is kept: frames are taken and never handed
 * over, and whoever waits goes on. The owner of the socket hears of the loss, not each of them.
 */
export function createFrameWriter(socket: Duplex): FrameWriter {
  return new SocketWriter(socket);
}

class SocketWriter implements FrameWriter {
  readonly #socket: Duplex;
  #queue: Queued[] = [];
  #head = 0; // index of the first frame in the queue that is not wholly handed over
  #headOffset = 0; // bytes of it that are
  #queued = 0;
  #writing = 0; // bytes of the piece that the socket has
  #scheduled = false;
  #movedAt = 0;
  #waiting: (() => void)[] | undefined; // for room
  #idle: (() => void)[] | undefined; // who wait for an empty queue

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.once("close", () => this.#closed());
  }

  get queued(): number {
    return this.#queued;
  }

  get full(): boolean {
    return this.#queued >= limits.sendQueue;
  }

  offer(frame: Buffer): WriteTicket | undefined {
    if (this.#queued > 0 && this.#queued + frame.length > limits.sendQueue) return undefined;
    return this.#push(frame);
  }

  control(frame: Buffer): boolean {
    const most = Math.max(limits.sendQueue, limits.frameBytes + 4) + limits.sendReserve;
    if (this.#queued + frame.length > most) return false;
    this.#push(frame);
    return true;
  }

  room(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      if (this.#queued === 0 || this.#socket.destroyed) return resolve();
      const wake = () => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const abort = () => {
        this.#waiting = this.#waiting?.filter((other) => other !== wake);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", abort, { once: true });
      this.onRoom(wake);
    });
  }

  onRoom(callback: () => void): void {
    (this.#waiting ??= []).push(callback);
  }

  stalledFor(now: number): number {
    return this.#queued === 0 ? 0 : now - this.#movedAt;
  }

  flushed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#queued === 0 || this.#socket.destroyed) return resolve();
      (this.#idle ??= []).push(resolve);
    });
  }

  #push(bytes: Buffer): WriteTicket {
    const ticket = { handed: false };
    if (this.#socket.destroyed) return ticket;
    if (this.#queued === 0) this.#movedAt = monotonicNow();
    this.#queue.push({ bytes, ticket });
    this.#queued += bytes.length;
    if (this.#writing === 0 && !this.#scheduled) {
      this.#scheduled = true;
      process.nextTick(flush, this);
    }
    return ticket;
  }

  /** Writes what was queued in this tick. */
  flush(): void {
    this.#scheduled = false;
    if (this.#writing > 0 || this.#queue.length === 0 || this.#socket.destroyed) return this.#settle();
    const piece = this.#nextPiece();
    this.#writing = piece.length;
    this.#socket.write(piece, () => this.#written());
  }

  /** The socket has taken the piece. */
  #written(): void {
    const bytes = this.#writing;
    this.#writing = 0;
    if (this.#queued === 0) return; // the socket has closed: nothing is owed any more
    this.#queued -= bytes;
    this.#movedAt = monotonicNow();
    if (this.#queued < limits.sendQueue) this.#release();
    this.flush();
  }

  /** Takes the next piece off the queue: whole small frames together, or a part of a large one. */
  #nextPiece(): Buffer {
    const parts: Buffer[] = [];
    let size = 0;
    while (this.#head < this.#queue.length && size < limits.sendPiece) {
      const { bytes, ticket } = this.#queue[this.#head] as Queued;
      const from = this.#headOffset;
      const take = Math.min(bytes.length - from, limits.sendPiece - size);
      ticket.handed = true;
      parts.push(take === bytes.length ? bytes : bytes.subarray(from, from + take));
      size += take;
      this.#headOffset += take;
      if (this.#headOffset === bytes.length) {
        this.#head++;
        this.#headOffset = 0;
      }
    }
    this.#trim();
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, size);
  }

  /** Lets go of frames that were handed over. */
  #trim(): void {
    if (this.#head < this.#queue.length && this.#head <= 1024) return;
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
  }

  /** Wakes those who wait for room. */
  #release(): void {
    const woken = this.#waiting;
    this.#waiting = undefined;
    for (const wake of woken ?? []) wake();
  }

  /** Wakes those who wait for an empty queue. */
  #settle(): void {
    if (this.#queued > 0 && !this.#socket.destroyed) return;
    const woken = this.#idle;
    this.#idle = undefined;
    for (const wake of woken ?? []) wake();
  }

  #closed(): void {
    this.#queue = [];
    this.#head = this.#headOffset = this.#queued = 0;
    this.#settle();
    this.#release();
  }
}

function flush(writer: SocketWriter): void {
  writer.flush();
}
