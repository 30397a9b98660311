import { limits } from "../../wire/limits.ts";

const SECOND_MS = 1_000;

/** What is to be done with a heartbeat: read it; keep it, as it may be the second's last; or close the link. */
export type HeartbeatVerdict = "read" | "keep" | "flood";

/** A link that may be cut off for what its guest sends. */
export interface Floodable {
  /** Closes the link: its guest floods. Called from within the methods of any guard that shares the total. */
  cutOff(): void;
}

/** Counts over all links what guests send without being asked, second by second. */
export class UnaskedTotal {
  readonly #guards = new Set<FloodGuard>();
  #frames = 0;
  #bytes = 0;
  #since = 0;

  /** How many links are counted in this second. */
  get counted(): number {
    return this.#guards.size;
  }

  /** Counts a frame of a link. Over the bound the link that sent the most in this second is closed, perhaps this one. */
  count(guard: FloodGuard, bytes: number, now: number): void {
    if (now - this.#since >= SECOND_MS) this.#begin(now);
    this.#guards.add(guard);
    this.#frames++;
    this.#bytes += bytes;
    if (this.#frames > limits.unaskedTotalFrames || this.#bytes > limits.unaskedTotalBytes) this.#shed();
  }

  /** The link is gone. What it sent still counts in this second. */
  forget(guard: FloodGuard): void {
    this.#guards.delete(guard);
  }

  #begin(now: number): void {
    this.#since = now;
    this.#frames = this.#bytes = 0;
    for (const guard of this.#guards) guard.forgive();
    this.#guards.clear();
  }

  #shed(): void {
    let worst: FloodGuard | undefined;
    for (const guard of this.#guards) if (worst === undefined || guard.weight > worst.weight) worst = guard;
    if (worst === undefined) return;
    this.#guards.delete(worst);
    this.#frames -= worst.sharedFrames;
    this.#bytes -= worst.sharedBytes;
    worst.forgive();
    worst.cutOff();
  }
}

/** Bounds the rate of what one guest sends without being asked. */
export class FloodGuard {
  readonly #total: UnaskedTotal;
  readonly #link: Floodable;
  #since = 0;
  #heartbeats = 0;
  #frames = 0;
  #bytes = 0;
  #sharedFrames = 0;
  #sharedBytes = 0;

  /** `link` is the one that is cut off. */
  constructor(total: UnaskedTotal, link: Floodable) {
    this.#total = total;
    this.#link = link;
  }

  /** What it sent in the second of the total. */
  get sharedFrames(): number {
    return this.#sharedFrames;
  }
  get sharedBytes(): number {
    return this.#sharedBytes;
  }

  /** Part of the bounds on all that the link has taken: of frames or of bytes, whichever is more. */
  get weight(): number {
    return Math.max(
      this.#sharedFrames / limits.unaskedTotalFrames,
      this.#sharedBytes / limits.unaskedTotalBytes,
    );
  }

  /** Judges a heartbeat. */
  heartbeat(bytes: number, now: number): HeartbeatVerdict {
    this.#turn(now);
    if (bytes > limits.heartbeatBytes || this.#heartbeats >= limits.heartbeatsPerSecond) return "flood";
    if (++this.#heartbeats <= limits.heartbeatsRead) return "read";
    this.dropped(bytes, now);
    return "keep";
  }

  /** Counts a ping; false if it is one too many to be answered. */
  ping(bytes: number, now: number): boolean {
    this.dropped(bytes, now);
    if (bytes > limits.heartbeatBytes || this.#heartbeats >= limits.heartbeatsPerSecond) return false;
    this.#heartbeats++;
    return true;
  }

  /** Counts a frame that nobody asked for. */
  dropped(bytes: number, now: number): void {
    this.#turn(now);
    this.#frames++;
    this.#bytes += bytes;
    this.#sharedFrames++;
    this.#sharedBytes += bytes;
    if (this.#frames > limits.unaskedFrames || this.#bytes > limits.unaskedBytes) return this.cutOff();
    this.#total.count(this, bytes, now);
  }

  /** True if the guard's second is over. */
  isOver(now: number): boolean {
    return now - this.#since >= SECOND_MS;
  }

  /** Closes the link: it floods. */
  cutOff(): void {
    this.#link.cutOff();
  }

  /** The second of the total is over, or the link was cut off for its part in it. */
  forgive(): void {
    this.#sharedFrames = this.#sharedBytes = 0;
  }

  /** The link is gone. */
  end(): void {
    this.#total.forget(this);
  }

  #turn(now: number): void {
    if (!this.isOver(now)) return;
    this.#since = now;
    this.#heartbeats = this.#frames = this.#bytes = 0;
  }
}
