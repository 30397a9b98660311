import { monotonicNow } from "./clock.ts";
import type { FrameDecoder } from "./decoder.ts";
import { limits } from "./limits.ts";

/** What was decoded in one go. */
export interface Decoded {
  readonly frames: number;
  readonly bytes: number;
  readonly ms: number;
}

/** A link that waits for its turn: to decode what it has read, or to read on. */
export interface Waiting {
  /**
   * Has its turn: decodes until the time, of the monotonic clock, has come, but no more than a slice's frames; or has its source read on if
   * nothing of it waits. Answers what was decoded. It waits again, if it has to, by itself. Never throws.
   */
  serve(until: number): Decoded;
}

/**
 * When bytes are read and decoded if many channels share one event loop. Frames are handed on from within, so that whatever they cause at
 * once is a part of the turn.
 */
export interface Turns {
  /** Until when so many bytes that have come may be decoded; 0 if they are to wait. */
  until(bytes: number, now: number): number;
  /** How many frames of them, before the time is looked at. */
  readonly mostFrames: number;
  /** Says what was decoded that `until` allowed. */
  used(decoded: Decoded): void;
  /** Has `serve` called when it is the turn of one who holds bytes of a read of so many. */
  hold(waiting: Waiting, bytes: number): void;
  /** False if one whose last read had so many bytes may read on now; true if `serve` is called when it may. */
  rest(waiting: Waiting, bytes: number): boolean;
}

/** What a reader reads from: a socket. */
export interface Source {
  pause(): unknown;
  resume(): unknown;
  readonly destroyed: boolean;
}

/** Takes bytes that are good until it returns. False: nothing more is read before `resume`. */
export type TakeLent = (bytes: Buffer) => boolean;

/** A source that lends what it reads, in place of handing over memory of its own for each read. */
export interface Lender {
  /** From now on what is read goes there. */
  lend(take: TakeLent): void;
}

/** True for a source that lends. */
export function isLender(source: object): source is Lender {
  return "lend" in source;
}

/** The clock is looked at once in so many frames. */
const FRAMES_A_LOOK = 16;

/** Bytes that were read and are not decoded yet. */
interface Held {
  readonly bytes: Buffer;
  at: number;
}

/**
 * Reads a source's bytes into a decoder: at once, or in slices when others have their turn. While it waits for a turn the source is not read,
 * so that no more than a read of it is held, and its peer is slowed down.
 */
export class SlicedReader implements Waiting {
  readonly #source: Source;
  readonly #decoder: FrameDecoder;
  readonly #turns: Turns | undefined;
  readonly #onFault: (error: unknown) => void;
  #held: Held[] = [];
  #waitsSince: number | undefined;
  #ended: (() => void) | undefined;
  #stopped = false;
  #heardAt = monotonicNow();
  #partialSince: number | undefined;

  /** `onFault` is told once what the decoder throws; nothing is decoded after it. Without turns everything is decoded at once. */
  constructor(
    source: Source,
    decoder: FrameDecoder,
    turns: Turns | undefined,
    onFault: (error: unknown) => void,
  ) {
    this.#source = source;
    this.#decoder = decoder;
    this.#turns = turns;
    this.#onFault = onFault;
  }

  /** True while the peer waits for its turn: then it is not the peer who is silent. */
  get behind(): boolean {
    return this.#waitsSince !== undefined;
  }

  /** When the bytes that are decoded now were received, or got their turn, by the monotonic clock. */
  get readAt(): number {
    return this.#heardAt;
  }

  /** When a byte was last received, or could not be, by the monotonic clock. */
  get heardAt(): number {
    return this.behind ? monotonicNow() : this.#heardAt;
  }

  /** Since when a frame has been incomplete, the time not counted in which its peer was not read; undefined if none is. */
  get partialSince(): number | undefined {
    return this.behind ? undefined : this.#partialSince;
  }

  /** Takes a read that may be kept. */
  take(bytes: Buffer): void {
    if (!this.#read(bytes, false)) this.#source.pause();
  }

  /** Takes a read whose memory is lent: what waits of it is copied. False: nothing more is to be read before `resume`. */
  readonly takeLent: TakeLent = (bytes) => this.#read(bytes, true);

  /** Waiting.serve. */
  serve(until: number): Decoded {
    const since = this.#waitsSince;
    if (this.#stopped || since === undefined || this.#turns === undefined) return nothing;
    const now = (this.#heardAt = monotonicNow());
    this.#waitsSince = undefined;
    if (this.#partialSince !== undefined) this.#partialSince += now - since;
    const bytes = this.#held[0]?.bytes.length ?? 0;
    const decoded = bytes === 0 ? nothing : this.#decodeHeld(until);
    this.#goOn(this.#turns, bytes);
    return decoded;
  }

  /** Calls back when everything that was read before is decoded: now, if it is. */
  afterRest(callback: () => void): void {
    if (this.#held.length > 0 && !this.#stopped) this.#ended ??= callback;
    else callback();
  }

  /** Decodes nothing any more, and lets go of what waits. */
  stop(): void {
    this.#stopped = true;
    this.#held = [];
    this.#decoder.drop();
  }

  /** Decodes what may be decoded now; false if nothing more is to be read for now. */
  #read(bytes: Buffer, lent: boolean): boolean {
    if (this.#stopped) return false;
    const now = (this.#heardAt = monotonicNow());
    const turns = this.#turns;
    const until = turns === undefined ? Infinity : this.behind ? 0 : turns.until(bytes.length, now);
    const read: Held = { bytes, at: 0 };
    const frames = until > 0 ? this.#decode(read, until, turns?.mostFrames ?? Infinity) : 0;
    if (turns === undefined) return !this.#stopped;
    if (until > 0) turns.used({ frames, bytes: read.at, ms: monotonicNow() - now });
    if (this.#stopped) return false;
    if (read.at < bytes.length) this.#hold(read, lent);
    return !this.#waits(turns, bytes.length);
  }

  #hold({ bytes, at }: Held, lent: boolean): void {
    const rest = bytes.subarray(at);
    this.#held.push({ bytes: lent ? Buffer.from(rest) : rest, at: 0 });
  }

  /** Gets in line if it has to; true if it is there. `bytes`: of the last read. */
  #waits(turns: Turns, bytes: number): boolean {
    if (this.behind) return true;
    if (this.#held.length > 0) turns.hold(this, bytes);
    else if (!turns.rest(this, bytes)) return false;
    this.#waitsSince = this.#heardAt;
    return true;
  }

  /** After its turn: it waits again, or is read on. */
  #goOn(turns: Turns, bytes: number): void {
    if (this.#stopped) return;
    const done = this.#held.length === 0;
    if (done && this.#ended !== undefined) return this.#ended();
    // Who had nothing to decode had its turn in order to read.
    if (bytes > 0 && this.#waits(turns, bytes)) return;
    if (!this.#source.destroyed) this.#source.resume();
  }

  #decodeHeld(until: number): Decoded {
    const began = this.#heardAt;
    let frames = 0;
    let bytes = 0;
    for (let first = this.#held[0]; first !== undefined; first = this.#held[0]) {
      const from = first.at;
      frames += this.#decode(first, until, limits.readSliceFrames);
      bytes += first.at - from;
      if (this.#stopped || first.at < first.bytes.length) break;
      this.#held.shift();
    }
    return { frames, bytes, ms: monotonicNow() - began };
  }

  /** Decodes bytes until a time, at least one frame and at most so many; answers how many that were, and moves `read.at`. */
  #decode(read: Held, until: number, most: number): number {
    const decoder = this.#decoder;
    const { bytes } = read;
    let frames = 0;
    try {
      while (read.at < bytes.length) {
        const long = decoder.partial; // it may become complete now, and be as long as any
        read.at = decoder.step(bytes, read.at);
        frames++;
        if (this.#stopped) return frames;
        if (!decoder.partial) this.#partialSince = undefined;
        if (frames >= most) break;
        if ((long || frames % FRAMES_A_LOOK === 0) && monotonicNow() >= until) break;
      }
      if (decoder.partial) this.#partialSince ??= this.#heardAt;
    } catch (error) {
      this.stop();
      this.#onFault(error);
    }
    return frames;
  }
}

const nothing: Decoded = { frames: 0, bytes: 0, ms: 0 };
