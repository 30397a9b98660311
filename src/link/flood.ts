import { monotonicNow, LinkError, limits } from "@valinor/protocol";

const SECOND_MS = 1_000;

/** What is to be done with a heartbeat: read it; keep it, as it may be the second's last; or close the link. */
export type HeartbeatVerdict = "read" | "keep" | "flood";

/** Counts over all links what guests send without being asked, second by second. */
export class UnaskedTotal {
  readonly #guards = new Set<FloodGuard>();
  #frames = 0;
  #bytes = 0;
  #since = 0;

  /** Counts a frame of a link. Over the bound the link that sent the most in this second is closed, perhaps this one. */
  count(guard: FloodGuard, bytes: number): void {
    const now = monotonicNow();
    if (now - this.#since >= SECOND_MS) this.#begin(now);
    this.#guards.add(guard);
    this.#frames++;
    this.#bytes += bytes;
    if (this.#frames > limits.unaskedTotalFrames || this.#bytes > limits.unaskedTotalBytes) this.#shed();
  }

  #begin(now: number): void {
    this.#since = now;
    this.#frames = this.#bytes = 0;
    for (const guard of this.#guards) guard.share.frames = guard.share.bytes = 0;
    this.#guards.clear();
  }

  #shed(): void {
    let worst: FloodGuard | undefined;
    for (const guard of this.#guards) if (worst === undefined || weigh(guard) > weigh(worst)) worst = guard;
    if (worst === undefined) return;
    this.#guards.delete(worst);
    this.#frames -= worst.share.frames;
    this.#bytes -= worst.share.bytes;
    worst.share.frames = worst.share.bytes = 0;
    worst.cutOff();
  }
}

/** Part of the bounds on all that a link has taken: of frames or of bytes, whichever is more. */
function weigh({ share }: FloodGuard): number {
  return Math.max(share.frames / limits.unaskedTotalFrames, share.bytes / limits.unaskedTotalBytes);
}

/** Bounds the rate of what one guest sends without being asked. */
export class FloodGuard {
  /** What it sent in the second of the total. */
  readonly share = { frames: 0, bytes: 0 };
  readonly #total: UnaskedTotal;
  readonly #close: (reason: LinkError) => void;
  #heartbeats = 0;
  #frames = 0;
  #bytes = 0;

  /** `close` ends the link; it is called from within the other methods, of this guard and of others that share the total. */
  constructor(total: UnaskedTotal, close: (reason: LinkError) => void) {
    this.#total = total;
    this.#close = close;
  }

  /** Judges a heartbeat. */
  heartbeat(bytes: number): HeartbeatVerdict {
    if (bytes > limits.heartbeatBytes || this.#heartbeats >= limits.heartbeatsPerSecond) return "flood";
    if (++this.#heartbeats <= limits.heartbeatsRead) return "read";
    this.dropped(bytes);
    return "keep";
  }

  /** Counts a ping; false if it is one too many to be answered. */
  ping(bytes: number): boolean {
    this.dropped(bytes);
    if (bytes > limits.heartbeatBytes || this.#heartbeats >= limits.heartbeatsPerSecond) return false;
    this.#heartbeats++;
    return true;
  }

  /** Counts a frame that nobody asked for. */
  dropped(bytes: number): void {
    this.#frames++;
    this.#bytes += bytes;
    this.share.frames++;
    this.share.bytes += bytes;
    if (this.#frames > limits.unaskedFrames || this.#bytes > limits.unaskedBytes) return this.cutOff();
    this.#total.count(this, bytes);
  }

  /** Closes the link: it floods. */
  cutOff(): void {
    this.#close(new LinkError("invalid_frame", "the guest floods frames that nobody asked for"));
  }

  /** A second has passed. */
  tick(): void {
    this.#heartbeats = this.#frames = this.#bytes = 0;
  }
}
