import { monotonicNow, LinkError, limits } from "@valinor/protocol";

/** A link that may hold a part of a frame. */
export interface PartialOwner {
  close(reason: LinkError): void;
}

interface Held {
  bytes: number;
  readonly since: number;
}

/** From this part of the budget on no large frame is begun, and from that one on the largest is given up. */
const REFUSE_AT = 0.8;
const SHED_AT = 0.95;

/** A large frame that is not complete after this time is one that a guest holds back, or soon will be. */
const SLOW_MS = 5_000;

/** Bounds the memory that the frames take which have begun and are not complete, over all links of a process. */
export class PartialBudget {
  readonly #held = new Map<PartialOwner, Held>();
  #total = 0;

  /** Bytes that are held now. */
  get total(): number {
    return this.#total;
  }

  /**
   * Says what the incomplete frame of a link takes now; 0 when it is complete, or the link is gone. Near the bound another link may be
   * closed for it. Throws LinkError `frame_too_large` if it is this one that is to go.
   */
  hold(owner: PartialOwner, bytes: number, announced: number): void {
    const held = this.#held.get(owner);
    if (bytes === 0) return held === undefined ? undefined : this.#release(owner, held);
    if (held === undefined) {
      if (announced > limits.smallFrameBytes) this.#makeRoom();
      this.#held.set(owner, { bytes, since: monotonicNow() });
      this.#total += bytes;
    } else {
      this.#total += bytes - held.bytes;
      held.bytes = bytes;
    }
    while (this.#total > limits.partialTotalBytes * SHED_AT) this.#shed(owner);
  }

  /** Near the bound a new large frame takes the place of the oldest that is slow, or is refused. */
  #makeRoom(): void {
    if (this.#total <= limits.partialTotalBytes * REFUSE_AT) return;
    const slowSince = monotonicNow() - SLOW_MS;
    // In the order in which they began.
    for (const [owner, held] of this.#held) {
      if (held.since > slowSince) break;
      if (held.bytes > limits.smallFrameBytes) return this.#giveUp(owner, held);
    }
    throw overBudget();
  }

  /** Gives up the largest, of several the oldest. */
  #shed(asking: PartialOwner): void {
    let worst: [PartialOwner, Held] | undefined;
    for (const entry of this.#held) if (worst === undefined || entry[1].bytes > worst[1].bytes) worst = entry;
    if (worst === undefined) return;
    const [owner, held] = worst;
    if (owner !== asking) return this.#giveUp(owner, held);
    this.#release(owner, held);
    throw overBudget();
  }

  #giveUp(owner: PartialOwner, held: Held): void {
    this.#release(owner, held);
    owner.close(overBudget());
  }

  #release(owner: PartialOwner, held: Held): void {
    this.#held.delete(owner);
    this.#total -= held.bytes;
  }
}

function overBudget(): LinkError {
  return new LinkError(
    "frame_too_large",
    `incomplete frames of all guests together take ${limits.partialTotalBytes} bytes, and its is among the largest`,
  );
}
