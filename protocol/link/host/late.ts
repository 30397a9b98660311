import { limits } from "../../wire/limits.ts";

interface Late {
  left: number;
  readonly until: number;
}

/** Exchanges that were given up: what the guest had on its way, or did not hear in time, is no flood. */
export class LateExchanges {
  readonly #bytes: number;
  #ids: Map<string, Late> | undefined; // most links have none

  /** `bytes` are forgiven for each exchange, and a frame more. */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** How many are remembered. */
  get size(): number {
    return this.#ids?.size ?? 0;
  }

  /** The exchange was given up just now. Of too many the oldest is forgotten. */
  add(id: string, now: number): void {
    const ids = (this.#ids ??= new Map<string, Late>());
    ids.set(id, { left: this.#bytes, until: now + limits.frameMs });
    if (ids.size <= limits.messagesPerLink) return;
    for (const oldest of ids.keys()) return void ids.delete(oldest);
  }

  /** True if a frame for the id is forgiven. */
  forgives(id: string, bytes: number): boolean {
    const late = this.#ids?.get(id);
    if (late === undefined || late.left <= 0) return false;
    late.left -= bytes;
    return true;
  }

  /** Forgets those whose time is over. */
  tick(now: number): void {
    if (this.#ids === undefined) return;
    for (const [id, { until }] of this.#ids) {
      if (until > now) return;
      this.#ids.delete(id);
    }
    this.#ids = undefined;
  }

  /** Forgets all of them: the link is lost. */
  clear(): void {
    this.#ids = undefined;
  }
}
