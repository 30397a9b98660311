import {
  type ExchangeKind,
  type ExchangeReader,
  type Frame,
  type FrameType,
  type HostExchange,
  type HostLink,
  type LinkError,
  monotonicNow,
} from "@valinor/protocol";
import type { Deliveries } from "./deliveries.ts";
import { mintId } from "./ids.ts";

/** One exchange with a guest, for the one that reads it: the link's exchange, and a promise for the wait. */
export class Exchange implements ExchangeReader {
  readonly #link: HostLink;
  readonly #deliveries: Deliveries;
  #exchange: HostExchange | undefined;
  #wake: (() => void) | undefined;

  private constructor(link: HostLink, deliveries: Deliveries) {
    this.#link = link;
    this.#deliveries = deliveries;
  }

  /** Opens one on a link that is up; undefined if the queue towards the guest is full. Throws as `HostLink.open`. */
  static open(
    link: HostLink,
    deliveries: Deliveries,
    type: FrameType,
    payload: object,
    kind: ExchangeKind,
  ): Exchange | undefined {
    const exchange = new Exchange(link, deliveries);
    exchange.#exchange = link.open(mintId(), type, payload, kind, exchange, monotonicNow());
    return exchange.#exchange === undefined ? undefined : exchange;
  }

  /** Its name on the link. */
  get id(): string {
    return this.#own.id;
  }

  /** Bytes that were received and the reader has not done with. */
  get held(): number {
    return this.#own.held;
  }

  /** How often the reader has asked for more. */
  get takes(): number {
    return this.#own.takes;
  }

  /**
   * The frames that came since the last call; waits for one if there is none. An empty array says that the guest has been
   * silent for a while; undefined that the exchange ended with its last frame. Rejects with LinkError if it failed.
   * Calling it says that the batch before is done with, and lets the guest send more. One caller at a time.
   */
  async take(): Promise<readonly Frame[] | undefined> {
    for (;;) {
      const batch = this.#link.take(this.#own, monotonicNow());
      if (batch !== "wait") {
        const turn = batch && this.#deliveries.turn(batch.length, this.#own.taken);
        if (turn !== undefined) await turn;
        return batch;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The reader leaves: what is queued is dropped, and the guest is told to stop. Does nothing after the end. */
  detach(reason: LinkError): void {
    this.#link.detach(this.#own, reason, monotonicNow());
  }

  /** Ends the exchange, after what came, without a word to the guest. Does nothing after the end. */
  fail(reason: LinkError): void {
    this.#own.fail(reason);
  }

  /** For the link. */
  wake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  get #own(): HostExchange {
    return this.#exchange as HostExchange;
  }
}
