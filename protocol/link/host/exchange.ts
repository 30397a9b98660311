import { LinkError } from "../../wire/errors.ts";
import type { Frame } from "../../wire/frame.ts";
import { limits } from "../../wire/limits.ts";
import type { CreditPool } from "./credit-pool.ts";
import type { ExchangeReader, Ticket } from "./output.ts";

/** What an exchange is about: a message may bring large frames and is detached from; a request has one answer. */
export type ExchangeKind = "message" | "request";

/** What all exchanges of one link hold their guest to. */
export interface ExchangeRules {
  /** The guest obeys credit; otherwise up to 1 MiB is buffered. */
  readonly credited: boolean;
  /** Silence of the guest after which the exchange ends with `timeout`, milliseconds. */
  readonly silenceMs: number;
}

/**
 * What a reader gets: the frames that came, an empty list if the guest has been silent for `progressMs`, undefined if the exchange has ended
 * with its last frame, "wait" if the reader is to be woken first.
 */
export type Batch = readonly Frame[] | undefined | "wait";

/**
 * One exchange of a link, the host's side. Frames are queued by `push`, and one reader takes them. What the reader has not taken is bounded
 * by the credit window and one frame. It ends once: with its last frame, or by `fail`. Its link calls these methods; others ask the link.
 */
export class HostExchange {
  readonly id: string;
  readonly kind: ExchangeKind;
  readonly #reader: ExchangeReader;
  readonly #rules: ExchangeRules;
  readonly #ticket: Ticket;
  #pool: CreditPool | undefined; // until it is over
  #queue: Frame[] = [];
  #queuedBytes = 0;
  #takenBytes = 0; // of the batch that the reader has now
  #takes = 0;
  #received = 0;
  #consumed = 0;
  #granted: number;
  #over = false; // no frame will come any more
  #failure: LinkError | undefined;
  #readerIs: "busy" | "waiting" | "woken" = "busy";
  #keepalive = false; // the reader was woken for one
  #idle = false; // the batch that the reader has now is a keepalive
  #heardAt: number;
  #waitingSince: number; // when the reader, done with all that came, began to wait
  #keptAliveAt = 0;

  /** `window`: what the guest was told that it may send. `pool`: where that counts, if it does. */
  constructor(
    id: string,
    kind: ExchangeKind,
    rules: ExchangeRules,
    ticket: Ticket,
    reader: ExchangeReader,
    now: number,
    window: number = limits.creditWindow,
    pool?: CreditPool,
  ) {
    this.id = id;
    this.kind = kind;
    this.#rules = rules;
    this.#ticket = ticket;
    this.#reader = reader;
    this.#granted = rules.credited ? window : limits.uncreditedBuffer;
    this.#pool = pool;
    pool?.open(window);
    this.#heardAt = this.#waitingSince = now;
  }

  /** Bytes that were received and the reader has not done with. */
  get held(): number {
    return this.#queuedBytes + this.#takenBytes;
  }

  /** Bytes of the batch that the reader has now. */
  get taken(): number {
    return this.#takenBytes;
  }

  /** How often the reader has asked for more. */
  get takes(): number {
    return this.#takes;
  }

  /** True once no further frame will come: the last one did, or the exchange failed. */
  get over(): boolean {
    return this.#over;
  }

  /** True once a byte of the opening frame may have left: the guest may have acted on it. */
  get handed(): boolean {
    return this.#ticket.handed;
  }

  /** Bytes that the guest was allowed to send in all, and that it sent. */
  get granted(): number {
    return this.#granted;
  }
  get received(): number {
    return this.#received;
  }

  /**
   * Takes a frame of the guest. `counted` ones need credit, the `last` one ends the exchange. Answers false if the guest sent more than
   * it was allowed: the exchange has failed.
   */
  push(frame: Frame, now: number, last: boolean, counted: boolean): boolean {
    if (this.#over) return true;
    if (!this.#allows(frame, counted)) {
      this.fail(this.#overrun());
      return false;
    }
    if (counted) this.#received += frame.size;
    this.#queue.push(frame);
    this.#queuedBytes += frame.size;
    this.#heardAt = now;
    if (last) this.#end();
    this.#wake();
    return true;
  }

  /** Ends the exchange with an error, which its reader gets after what was received before it. Does nothing after the end. */
  fail(reason: LinkError): void {
    if (this.#over) return;
    this.#end();
    this.#failure = reason;
    this.#wake();
  }

  /** Drops what is queued, and fails. */
  abandon(reason: LinkError): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.fail(reason);
  }

  /** Says that the reader has done with its last batch. Answers how much the guest may send now; undefined if it was told so already. */
  release(): number | undefined {
    if (this.#readerIs !== "busy") return undefined;
    this.#takes++;
    this.#consumed += this.#takenBytes;
    if (!this.#over) this.#pool?.change(-this.#takenBytes);
    this.#takenBytes = 0;
    return this.#rules.credited && !this.#over ? this.#grant() : undefined;
  }

  /** Gives the reader what there is, after `release`. Throws LinkError if the exchange has failed. */
  take(now: number): Batch {
    if (this.#queue.length > 0) return this.#takeQueue();
    if (!this.#over && !this.#keepalive) {
      // A keepalive is no sign of the guest: the wait before it goes on.
      if (this.#readerIs === "busy" && !this.#idle) this.#waitingSince = now;
      this.#readerIs = "waiting";
      return "wait";
    }
    this.#readerIs = "busy";
    this.#keepalive = false;
    this.#idle = true;
    if (this.#failure !== undefined) throw this.#failure;
    return this.#over ? undefined : [];
  }

  /** Looks at the clock: has a waiting reader get a keepalive. Answers true if the guest has been silent for too long: it has failed. */
  silent(now: number): boolean {
    // A busy reader does not wait for the guest: the silence is its own.
    if (this.#readerIs !== "waiting") return false;
    const { silenceMs } = this.#rules;
    const silence = now - Math.max(this.#waitingSince, this.#heardAt);
    if (silence >= silenceMs) {
      this.fail(new LinkError("timeout", `the agent sent nothing for ${Math.round(silenceMs / 1000)} s`));
      return true;
    }
    if (silence >= limits.progressMs && now - this.#keptAliveAt >= limits.progressMs) {
      this.#keptAliveAt = now;
      this.#keepalive = true;
      this.#wake();
    }
    return false;
  }

  /** Not for every frame: when half of the window is used up. */
  #grant(): number | undefined {
    const left = this.#granted - this.#consumed;
    if (left > limits.creditWindow / 2) return undefined;
    const window = this.#pool?.next(left) ?? limits.creditWindow;
    if (left > window / 2) return undefined;
    this.#pool?.change(window - left);
    this.#granted = this.#consumed + window;
    return this.#granted;
  }

  #end(): void {
    this.#over = true;
    this.#pool?.close(this.#granted - this.#consumed);
    this.#pool = undefined;
  }

  #takeQueue(): readonly Frame[] {
    const batch = this.#queue;
    // More would be encoded and written in one go.
    this.#queue = batch.length > limits.deliverFrames ? batch.splice(limits.deliverFrames) : [];
    this.#takenBytes = this.#queuedBytes;
    for (const frame of this.#queue) this.#takenBytes -= frame.size;
    this.#queuedBytes -= this.#takenBytes;
    this.#readerIs = "busy";
    this.#keepalive = this.#idle = false;
    return batch;
  }

  #allows(frame: Frame, counted: boolean): boolean {
    if (this.#rules.credited) return !counted || this.#received < this.#granted;
    return this.#queuedBytes === 0 || this.#queuedBytes + frame.size <= limits.uncreditedBuffer;
  }

  #wake(): void {
    if (this.#readerIs !== "waiting") return;
    this.#readerIs = "woken";
    this.#reader.wake();
  }

  #overrun(): LinkError {
    return this.#rules.credited
      ? new LinkError("invalid_frame", `the agent sent more than its credit of ${this.#granted} bytes`)
      : new LinkError(
          "overrun",
          `more than ${limits.uncreditedBuffer} bytes of the agent's answer wait for the reader`,
        );
  }
}
