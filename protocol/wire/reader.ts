import { monotonicNow } from "./clock.ts";
import type { FrameDecoder } from "./decoder.ts";

/** One who has read bytes and waits for a turn to decode them. */
export interface Waiting {
  /** Decodes until the time, of the monotonic clock, has come; true if more waits. Never throws. */
  slice(until: number): boolean;
}

/**
 * When bytes are decoded if many channels share one event loop. Frames are handed on from within, so that whatever they cause at once
 * is a part of the turn.
 */
export interface Turns {
  /** Until when so many bytes that have come may be decoded; 0 if they are to wait for `slice`. */
  until(bytes: number, now: number): number;
  /** Says how long decoding took that `until` allowed. */
  used(ms: number): void;
  /** Has `slice` called in its turn, until it says that nothing waits any more. */
  wait(waiting: Waiting, bytes: number): void;
}

/** What a reader reads from: a socket. */
export interface Source {
  pause(): unknown;
  resume(): unknown;
  readonly destroyed: boolean;
}

/** The clock is looked at once in so many frames. */
const FRAMES_A_LOOK = 16;

/**
 * Reads a source's bytes into a decoder: at once, or in slices when others have their turn. While bytes wait here the source is paused, so
 * that no more than a read or two of it is held, and its peer is slowed down.
 */
export class SlicedReader implements Waiting {
  readonly #source: Source;
  readonly #decoder: FrameDecoder;
  readonly #turns: Turns | undefined;
  readonly #onFault: (error: unknown) => void;
  #held: Buffer[] = [];
  #at = 0; // in the first of them
  #waits = false;
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

  /** True while bytes of the peer wait for their turn: then it is not the peer who is silent. */
  get behind(): boolean {
    return this.#waits;
  }

  /** When the bytes that are decoded now were received, or got their turn, by the monotonic clock. */
  get readAt(): number {
    return this.#heardAt;
  }

  /** When a byte was last received, or left waiting, by the monotonic clock. */
  get heardAt(): number {
    return this.#waits ? monotonicNow() : this.#heardAt;
  }

  /** Since when a frame has been incomplete though all that came was decoded; undefined if none is. */
  get partialSince(): number | undefined {
    return this.#waits ? undefined : this.#partialSince;
  }

  /** Takes what was read. */
  take(bytes: Buffer): void {
    if (this.#stopped) return;
    const now = monotonicNow();
    this.#heardAt = now;
    this.#held.push(bytes);
    if (this.#waits) return;
    if (this.#turns === undefined) return this.#decode(Infinity);
    const until = this.#turns.until(bytes.length, now);
    if (until > 0) {
      this.#decode(until);
      this.#turns.used(monotonicNow() - now);
    }
    if (this.#held.length > 0) this.#wait(this.#turns, bytes.length);
  }

  slice(until: number): boolean {
    if (this.#stopped) return false;
    this.#heardAt = monotonicNow();
    this.#decode(until);
    if (this.#held.length > 0) return true;
    this.#waits = false;
    if (this.#ended !== undefined) this.#ended();
    else if (!this.#source.destroyed) this.#source.resume();
    return false;
  }

  /** Calls back when everything that was read before is decoded: now, if it is. */
  afterRest(callback: () => void): void {
    if (this.#waits && !this.#stopped) this.#ended ??= callback;
    else callback();
  }

  /** Decodes nothing any more, and lets go of what waits. */
  stop(): void {
    this.#stopped = true;
    this.#held = [];
    this.#decoder.drop();
  }

  #wait(turns: Turns, bytes: number): void {
    this.#waits = true;
    this.#source.pause();
    turns.wait(this, bytes);
  }

  /** Decodes what is held until a time, at least one frame. */
  #decode(until: number): void {
    try {
      let bytes = this.#held[0];
      while (bytes !== undefined && !this.#stopped) {
        if (!this.#decodeOne(bytes, until)) return;
        this.#held.shift();
        this.#at = 0;
        bytes = this.#held[0];
      }
    } catch (error) {
      this.stop();
      this.#onFault(error);
    }
  }

  /** Decodes one read; false if the time was over before its end. */
  #decodeOne(bytes: Buffer, until: number): boolean {
    const decoder = this.#decoder;
    for (let frames = 1; this.#at < bytes.length; frames++) {
      const long = decoder.partial; // it may become complete now, and be as long as any
      this.#at = decoder.step(bytes, this.#at);
      if (this.#stopped) return false;
      if (!decoder.partial) this.#partialSince = undefined;
      if ((long || frames % FRAMES_A_LOOK === 0) && this.#at < bytes.length && monotonicNow() >= until)
        return false;
    }
    if (decoder.partial) this.#partialSince ??= this.#heardAt;
    return true;
  }
}
