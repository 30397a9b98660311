import { limits } from "../../wire/limits.ts";

/**
 * Bounds what all guests together were promised that a host takes and holds for its readers. The exchanges share it: each may be promised
 * as much as every other one, a window at most. What was promised cannot be taken back, so while too much is, an exchange
 * gets what is left, but never less than a floor: it goes on, in smaller steps.
 */
export class CreditPool {
  readonly #total: number;
  #promised = 0;
  #exchanges = 0;

  /** `total`: bytes that are promised to all exchanges together, as long as the floors allow it. */
  constructor(total: number = limits.creditTotal) {
    this.#total = total;
  }

  /** Bytes that were promised and whose readers have not done with. */
  get promised(): number {
    return this.#promised;
  }

  /** Exchanges that share it. */
  get exchanges(): number {
    return this.#exchanges;
  }

  /** How much an exchange may be promised that is not counted yet. */
  first(): number {
    return this.#window(this.#exchanges + 1, this.#promised);
  }

  /** How much an exchange may be promised that has so much of what it was promised left. */
  next(left: number): number {
    return this.#window(this.#exchanges, this.#promised - left);
  }

  /** Counts an exchange that is promised so much. */
  open(promised: number): void {
    this.#exchanges++;
    this.#promised += promised;
  }

  /** An exchange is promised so much more; or less, as its reader has done with that. */
  change(by: number): void {
    this.#promised += by;
  }

  /** An exchange is over that was promised so much. */
  close(promised: number): void {
    this.#exchanges--;
    this.#promised -= promised;
  }

  #window(sharers: number, others: number): number {
    const share = Math.min(limits.creditWindow, Math.floor(this.#total / sharers));
    return Math.max(limits.creditFloor, Math.min(share, this.#total - others));
  }
}
