import { monotonicNow, limits } from "@valinor/protocol";

interface Late {
  left: number;
  readonly until: number;
}

/** Exchanges that were given up: what the guest had on its way, or did not hear in time, is no flood. */
export class LateExchanges {
  readonly #ids = new Map<string, Late>();
  readonly #bytes: number;

  /** `bytes` are forgiven for each exchange, and a frame more. */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** The exchange was given up just now. */
  add(id: string): void {
    this.#ids.set(id, { left: this.#bytes, until: monotonicNow() + limits.frameMs });
    if (this.#ids.size <= limits.messagesPerLink) return;
    for (const oldest of this.#ids.keys()) return void this.#ids.delete(oldest);
  }

  /** True if a frame for the id is forgiven. */
  forgives(id: string, bytes: number): boolean {
    const late = this.#ids.get(id);
    if (late === undefined || late.left <= 0) return false;
    late.left -= bytes;
    return true;
  }

  /** Forgets those whose time is over. To be called every second or so. */
  tick(now: number): void {
    for (const [id, { until }] of this.#ids) {
      if (until > now) return;
      this.#ids.delete(id);
    }
  }
}
