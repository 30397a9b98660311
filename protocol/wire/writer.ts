import type { Duplex } from "node:stream";
import { limits } from "./limits.ts";
import { monotonicNow } from "./clock.ts";

/** What became of a frame that was queued. */
export interface WriteTicket {
  /** True once a byte of the frame may have left: from then on the peer may act on it. */
  handed: boolean;
}

/** The one ordered writer of a link. */
export interface FrameWriter {
  /** Queues a frame that carries a message; undefined where the queue is full (an empty one admits any frame). */
  offer(frame: Buffer): WriteTicket | undefined;
  /** Queues a small frame that keeps the link going; false where even the reserve is used up: the peer is lost. */
  control(frame: Buffer): boolean;
  /**
   * Resolves once the queue has room again, at once where it is empty or the socket has closed; rejects with the signal's
   * reason. A frame may be refused again after it: try in a loop.
   */
  room(signal: AbortSignal): Promise<void>;
  /** Calls back once, when the queue next has room. */
  onRoom(callback: () => void): void;
  /** Bytes that are queued or that the socket has not confirmed. */
  readonly queued: number;
  /** True while `offer` would refuse a small frame. */
  readonly full: boolean;
  /** Milliseconds for which bytes have been waiting without any of them being taken; 0 where none wait. */
  stalledFor(now: number): number;
  /** Resolves when everything queued so far has been handed to the socket and confirmed, or when it has closed. */
  flushed(): Promise<void>;
}

interface Queued {
  readonly bytes: Buffer;
  readonly ticket: WriteTicket;
}

/**
 * Makes the writer of a socket. Frames leave in the order they were queued; those of one tick leave in one write. Pieces
 * handed to the socket are at most 64 KiB, each confirmed before the next, so that progress can be seen and a frame that
 * was not begun is known not to have been sent. Once the socket has closed nothing is kept: frames are taken and never handed
 * over, and whoever waits goes on. The owner of the socket hears of the loss, not each of them.
 */
export function createFrameWriter(socket: Duplex): FrameWriter {
  let queue: Queued[] = [];
  let head = 0; // index of the first frame in `queue` that is not wholly handed over
  let headOffset = 0; // bytes of it that are
  let queued = 0;
  let writing = false;
  let scheduled = false;
  let movedAt = 0;
  let waiting: (() => void)[] = [];
  let idle: (() => void)[] = [];

  function push(bytes: Buffer): WriteTicket {
    const ticket = { handed: false };
    if (socket.destroyed) return ticket;
    if (queued === 0) movedAt = monotonicNow();
    queue.push({ bytes, ticket });
    queued += bytes.length;
    if (!writing && !scheduled) {
      scheduled = true;
      process.nextTick(flush);
    }
    return ticket;
  }

  /** Takes the next piece off the queue: whole small frames together, or a part of a large one. */
  function nextPiece(): Buffer {
    const parts: Buffer[] = [];
    let size = 0;
    while (head < queue.length && size < limits.sendPiece) {
      const { bytes, ticket } = queue[head] as Queued;
      const take = Math.min(bytes.length - headOffset, limits.sendPiece - size);
      ticket.handed = true;
      parts.push(take === bytes.length ? bytes : bytes.subarray(headOffset, headOffset + take));
      size += take;
      headOffset += take;
      if (headOffset === bytes.length) {
        head++;
        headOffset = 0;
      }
    }
    if (head === queue.length) {
      queue = [];
      head = 0;
    } else if (head > 1024) {
      queue = queue.slice(head);
      head = 0;
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, size);
  }

  function flush(): void {
    scheduled = false;
    if (writing || queue.length === 0 || socket.destroyed) return settle();
    writing = true;
    const piece = nextPiece();
    socket.write(piece, () => {
      writing = false;
      if (queued === 0) return; // the socket has closed: nothing is owed any more
      queued -= piece.length;
      movedAt = monotonicNow();
      if (queued < limits.sendQueue) release();
      flush();
    });
  }

  /** Wakes those who wait for room. */
  function release(): void {
    if (waiting.length === 0) return;
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
  }

  /** Wakes those who wait for an empty queue. */
  function settle(): void {
    if (queued > 0 && !socket.destroyed) return;
    const woken = idle;
    idle = [];
    for (const wake of woken) wake();
  }

  socket.once("close", () => {
    queue = [];
    head = headOffset = queued = 0;
    settle();
    release();
  });

  const writer: FrameWriter = {
    offer(frame) {
      if (queued > 0 && queued + frame.length > limits.sendQueue) return undefined;
      return push(frame);
    },
    control(frame) {
      if (queued + frame.length > Math.max(limits.sendQueue, limits.frameBytes + 4) + limits.sendReserve)
        return false;
      push(frame);
      return true;
    },
    room(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error);
        if (queued === 0 || socket.destroyed) return resolve();
        const wake = () => {
          signal.removeEventListener("abort", abort);
          resolve();
        };
        const abort = () => {
          waiting = waiting.filter((other) => other !== wake);
          reject(signal.reason as Error);
        };
        signal.addEventListener("abort", abort, { once: true });
        waiting.push(wake);
      });
    },
    onRoom(callback) {
      waiting.push(callback);
    },
    get queued() {
      return queued;
    },
    get full() {
      return queued >= limits.sendQueue;
    },
    stalledFor: (now) => (queued === 0 ? 0 : now - movedAt),
    flushed: () =>
      new Promise((resolve) => {
        if (queued === 0 || socket.destroyed) return resolve();
        idle.push(resolve);
      }),
  };
  return writer;
}
