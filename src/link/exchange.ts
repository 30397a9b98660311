import { LinkError, type Frame, limits, type WriteTicket, monotonicNow } from "@valinor/protocol";

/** What an exchange needs of its connection. */
export interface ExchangeHost {
  /** Tells the guest how much it may send; not called for guests that know no credit. */
  grant(id: string, limit: number): void;
  /** Tells the guest to send nothing more; the exchange is forgotten by its connection. */
  detach(id: string): void;
}

/** What an exchange holds its guest to. */
export interface ExchangeOptions {
  /** True where the guest obeys credit (protocol 2); false: up to 1 MiB is buffered. */
  readonly credited: boolean;
  /** Silence after which a waiting reader gets an empty batch, milliseconds. */
  readonly keepaliveMs: number;
  /** Silence of the guest after which the exchange ends with `timeout`, milliseconds. */
  readonly silenceMs: number;
}

/**
 * One exchange on a link, the host's side: frames come in by `push`, one reader takes them by `take`. What the reader has not
 * taken is bounded by the credit window and one frame; nothing here ever waits for the reader.
 */
export class Exchange {
  readonly id: string;
  /** Says whether the opening frame may have reached the guest. */
  ticket: WriteTicket = { handed: false };
  readonly #host: ExchangeHost;
  readonly #options: ExchangeOptions;
  #queue: Frame[] = [];
  #queuedBytes = 0;
  #takenBytes = 0; // of the batch the reader has now
  #takes = 0;
  #received = 0;
  #consumed = 0;
  #granted: number;
  #over = false; // no frame will come any more
  #failure: LinkError | undefined;
  #wake: (() => void) | undefined;
  #heardAt = monotonicNow();
  #waitingSince = monotonicNow(); // when the reader, done with all that came, began to wait
  #keptAliveAt = 0;
  #idle = false; // the batch that the reader has now is a keepalive

  constructor(id: string, host: ExchangeHost, options: ExchangeOptions) {
    this.id = id;
    this.#host = host;
    this.#options = options;
    this.#granted = options.credited ? limits.creditWindow : limits.uncreditedBuffer;
  }

  /** Bytes that were received and the reader has not done with. */
  get held(): number {
    return this.#queuedBytes + this.#takenBytes;
  }

  /** How often the reader has asked for more. */
  get takes(): number {
    return this.#takes;
  }

  /**
   * Takes a frame of the guest. `uncounted` frames need no credit; `last` ones end the exchange.
   * Answers false where the guest sent more than it was allowed: the exchange has failed, and the guest was told to stop.
   */
  push(frame: Frame, now: number, last: boolean, uncounted: boolean): boolean {
    if (this.#over) return true;
    const allowed = this.#options.credited
      ? uncounted || this.#received < this.#granted
      : this.#queuedBytes === 0 || this.#queuedBytes + frame.size <= limits.uncreditedBuffer;
    if (!allowed) {
      this.fail(this.#overrun());
      this.#host.detach(this.id);
      return false;
    }
    if (!uncounted) this.#received += frame.size;
    this.#queue.push(frame);
    this.#queuedBytes += frame.size;
    this.#heardAt = now;
    this.#over = last;
    this.#notify();
    return true;
  }

  /** Ends the exchange with an error, after what was received before it. */
  fail(reason: LinkError): void {
    if (this.#over) return;
    this.#over = true;
    this.#failure = reason;
    this.#notify();
  }

  /**
   * The frames that came since the last call; waits for one where there is none. An empty array says that the guest has been
   * silent for keepaliveMs; undefined that the exchange ended with its terminal frame. Rejects with LinkError where it failed.
   * Calling it says that the batch before is done with, and lets the guest send more. One caller at a time.
   */
  async take(): Promise<readonly Frame[] | undefined> {
    this.#takes++;
    this.#release();
    if (this.#queue.length === 0 && !this.#over) {
      // A keepalive is no sign of the guest: the wait before it goes on.
      if (!this.#idle) this.#waitingSince = monotonicNow();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#idle = this.#queue.length === 0;
    if (!this.#idle) {
      const batch = this.#queue;
      this.#queue = [];
      this.#takenBytes = this.#queuedBytes;
      this.#queuedBytes = 0;
      return batch;
    }
    if (this.#failure !== undefined) throw this.#failure;
    return this.#over ? undefined : [];
  }

  /** The reader leaves: what is queued is dropped, and the guest is told to stop. Does nothing after the end. */
  detach(reason: LinkError): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    if (this.#over) return;
    this.fail(reason);
    this.#host.detach(this.id);
  }

  /** Looks at the clock; the connection calls it every second. */
  check(now: number): void {
    if (this.#wake === undefined) return; // the reader is busy: the silence is its own
    const waitingSince = Math.max(this.#waitingSince, this.#heardAt);
    if (now - waitingSince >= this.#options.silenceMs) {
      this.fail(
        new LinkError(
          "timeout",
          `the agent sent nothing for ${Math.round(this.#options.silenceMs / 1000)} s`,
        ),
      );
      this.#host.detach(this.id);
    } else if (
      now - this.#keptAliveAt >= this.#options.keepaliveMs &&
      now - waitingSince >= this.#options.keepaliveMs
    ) {
      this.#keptAliveAt = now;
      this.#notify();
    }
  }

  /** Counts the reader's last batch as consumed, and grants more once half of the window is. */
  #release(): void {
    this.#consumed += this.#takenBytes;
    this.#takenBytes = 0;
    if (!this.#options.credited || this.#over) return;
    if (this.#granted - this.#consumed > limits.creditWindow / 2) return;
    this.#granted = this.#consumed + limits.creditWindow;
    this.#host.grant(this.id, this.#granted);
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #overrun(): LinkError {
    return this.#options.credited
      ? new LinkError("invalid_frame", `the agent sent more than its credit of ${this.#granted} bytes`)
      : new LinkError(
          "overrun",
          `more than ${limits.uncreditedBuffer} bytes of the agent's answer wait for the reader`,
        );
  }
}
